/* Assisted publishing at Naver Blog: the package, and the addresses that a person may report. */
#include "adapter_step.h"
#include "server/distribution/adapters/adapters.h"
#include "tests/unit/runtime/run.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct channel_setup SETUP = {
    .url = "https://blog.naver.com", .base = "", .secret = "", .account = "", .key = "", .sender = "", .option = ""};

static struct adapter_delivery naver_delivery(const Herald__Distribution__V1__Content *content) {
    return (struct adapter_delivery){
        .row = channel_find(HERALD__DISTRIBUTION__V1__CHANNEL__NAVER_BLOG),
        .setup = &SETUP,
        .event_id = "e",
        .owner = "",
        .content = content,
        .key = "k",
        .step_id = "",
    };
}

static struct step_preview preview_of(Herald__Distribution__V1__Content content) {
    return step_preview_run(naver_delivery(&content));
}

/* ---- HTML ---- */

static bool is_one_of(const char *word, size_t bytes, const char *words) {
    char padded[32];
    snprintf(padded, sizeof(padded), " %.*s ", (int)bytes, word);
    return strstr(words, padded) != NULL;
}

/* Checks that HTML has known elements only, each closed in order, known attributes, and no bare mark in its text. */
static void assert_html(const char *html) {
    char open[8][16];
    size_t depth = 0;
    for (const char *at = html; *at != '\0'; at++) {
        if (*at == '&') {
            size_t bytes = strcspn(at, ";") + 1;
            assert_true(is_one_of(at, bytes, " &amp; &lt; &gt; &quot; &#39; "));
        }
        assert_int_not_equal(*at, '>');
        assert_int_not_equal(*at, '\'');
        if (*at != '<') {
            continue;
        }
        bool closes = at[1] == '/';
        const char *name = at + 1 + (closes ? 1 : 0);
        size_t bytes = 0;
        while (isalnum((unsigned char)name[bytes])) {
            bytes++;
        }
        assert_true(is_one_of(name, bytes, " h2 p strong br address img "));
        at = name + bytes;
        while (*at == ' ') {
            size_t word = strcspn(++at, "=");
            assert_true(is_one_of(at, word, " src alt "));
            assert_int_equal(at[word + 1], '"');
            at += word + 2;
            assert_true(strcspn(at, "\"") < strcspn(at, "<>"));
            at += strcspn(at, "\"") + 1;
        }
        assert_int_equal(*at, '>');
        if (is_one_of(name, bytes, " br img ")) {
            assert_false(closes);
        } else if (closes) {
            assert_true(depth > 0);
            depth--;
            assert_int_equal(strlen(open[depth]), bytes);
            assert_memory_equal(open[depth], name, bytes);
        } else {
            assert_true(depth < 8);
            snprintf(open[depth++], sizeof(open[0]), "%.*s", (int)bytes, name);
        }
    }
    assert_int_equal(depth, 0);
}

static void test_naver_package_has_all_parts(void **state) {
    (void)state;
    Herald__Distribution__V1__Content content = step_content();
    content.text = "첫째 줄\n둘째 줄\n\n새 문단";
    struct step_preview preview = preview_of(content);
    assert_int_equal(preview.code, HERALD_OK);
    assert_string_equal(preview.html,
                        "<h2>여름 이벤트</h2>\n"
                        "<p><img src=\"https://pictures.example/content/0123456789abcdef0123456789abcdef/simple.jpg\" "
                        "alt=\"여름 이벤트\"></p>\n"
                        "<p><strong>경품: 떡볶이 1인분</strong></p>\n"
                        "<p>첫째 줄<br>\n둘째 줄</p>\n"
                        "<p>새 문단</p>\n"
                        "<address>\n"
                        "<strong>한강 분식</strong><br>\n"
                        "서울시 마포구 1<br>\n"
                        "02-123-4567<br>\n"
                        "</address>\n");
    assert_html(preview.html);
    assert_int_equal(preview.requests, 0);
    assert_string_equal(preview.pictures,
                        "https://pictures.example/content/0123456789abcdef0123456789abcdef/simple.jpg\n"
                        "https://pictures.example/content/0123456789abcdef0123456789abcdef/simple.png");
    assert_non_null(strstr(preview.caption, "여름 이벤트"));
    assert_string_equal(preview.problems, "");
    step_preview_fini(&preview);
}

static void test_naver_package_escapes_what_marks_up(void **state) {
    (void)state;
    Herald__Distribution__V1__Content content = step_content();
    content.title = "<script>alert(\"1\" + '2')</script>";
    content.prize = "\"><img src=x onerror=alert(1)>";
    content.text = "a & b &amp; &lt;\n\n</p><iframe>\n\n\n\n<!-- -->";
    content.store_info->name = "R&D's";
    content.store_info->address = "<b>";
    content.store_info->phone = "";
    content.jpeg_url = "https://pictures.example/a.jpg?x=\"onload='1'&y=<";
    struct step_preview preview = preview_of(content);
    assert_html(preview.html);
    assert_null(strstr(preview.html, "<script"));
    assert_non_null(strstr(preview.html, "<h2>&lt;script&gt;alert(&quot;1&quot; + &#39;2&#39;)&lt;/script&gt;</h2>"));
    assert_non_null(strstr(preview.html, "경품: &quot;&gt;&lt;img src=x onerror=alert(1)&gt;<"));
    assert_non_null(strstr(preview.html, "<p>a &amp; b &amp;amp; &amp;lt;</p>\n<p>&lt;/p&gt;&lt;iframe&gt;</p>\n"));
    assert_non_null(strstr(preview.html, "R&amp;D&#39;s"));
    assert_non_null(
        strstr(preview.html, "src=\"https://pictures.example/a.jpg?x=&quot;onload=&#39;1&#39;&amp;y=&lt;\""));
    step_preview_fini(&preview);
}

static void test_naver_package_leaves_out_what_is_empty(void **state) {
    (void)state;
    Herald__Distribution__V1__Content content = step_content();
    content.title = "제목";
    content.prize = "";
    content.text = " \n\n\u200b";
    content.store_info = NULL;
    content.png_url = "";
    content.jpeg_url = "javascript:alert(1)";
    struct step_preview preview = preview_of(content);
    assert_string_equal(preview.html, "<h2>제목</h2>\n");
    step_preview_fini(&preview);
}

static void test_naver_package_of_the_longest_content_is_whole(void **state) {
    (void)state;
    static char title[80 * 4 + 1], text[1000 * 6 + 1];
    for (size_t i = 0; i < 80; i++) {
        strcat(title, "&");
    }
    for (size_t i = 0; i < 500; i++) {
        strcat(text, "'\n");
    }
    Herald__Distribution__V1__Content content = step_content();
    content.title = title;
    content.text = text;
    struct step_preview preview = preview_of(content);
    assert_int_equal(preview.code, HERALD_OK);
    assert_html(preview.html);
    assert_true(strlen(preview.html) < 65536); /* max_len of GetDeliveryPreviewResponse.html */
    step_preview_fini(&preview);
}

/* ---- the steps ---- */

static void test_naver_commit_hands_the_post_to_a_person(void **state) {
    (void)state;
    Herald__Distribution__V1__Content content = step_content();
    struct step_answer answer = step_run(STEP_OF_COMMIT, naver_delivery(&content));
    assert_int_equal(answer.meaning, MEANS_HANDED);
    assert_int_equal(answer.reason, HERALD_REASON_AWAITING_OPERATOR);
    assert_non_null(strstr(answer.message, "GetDeliveryPreview"));
    assert_null(naver_adapter.prepare);
    assert_null(naver_adapter.look_up);
    assert_true(naver_adapter.is_configured(&(struct channel_setup){.url = ""}));
}

/* ---- addresses ---- */

static bool accepts(const char *site, const char *url) {
    const struct channel_setup setup = {.url = site};
    return naver_adapter.accepts_url(&setup, url);
}

static void test_naver_address_of_a_post_at_the_blog_is_accepted(void **state) {
    (void)state;
    static const char *const URLS[] = {
        "https://blog.naver.com/shop/223456789012",
        "https://blog.naver.com/PostView.naver?blogId=shop&logNo=223456789012",
        "https://blog.naver.com/shop/1?from=https://other.example/../x#a",
        "HTTPS://Blog.Naver.COM/shop/1",
        "https://blog.naver.com:443/shop/1",
        "https://blog.naver.com/shop/1..2",
    };
    for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        if (!accepts("https://blog.naver.com", URLS[i]) || !accepts("https://blog.naver.com/", URLS[i])) {
            fail_msg("refuses %s", URLS[i]);
        }
    }
}

static void test_naver_other_addresses_are_refused(void **state) {
    (void)state;
    static const char *const URLS[] = {
        "",
        "blog.naver.com/shop/1",
        "http://blog.naver.com/shop/1",
        "ftp://blog.naver.com/shop/1",
        "https://blog.naver.com",
        "https://blog.naver.com/",
        "https://blog.naver.com/?a=1",
        "https://blog.naver.com#/shop/1",
        "https://blog.naver.com.evil.example/shop/1",
        "https://blog.naver.comevil.example/shop/1",
        "https://evil.example/https://blog.naver.com/shop/1",
        "https://blog.naver.com@evil.example/shop/1",
        "https://blog.naver.com:pass@evil.example/shop/1",
        "https://evil.example\\@blog.naver.com/shop/1",
        "https://blog.naver.com\\.evil.example/shop/1",
        "https://m.blog.naver.com/shop/1",
        "https://blog.naver.com:8443/shop/1",
        "https://blog.naver.com:80/shop/1",
        "https://blog.naver.com./shop/1",
        "https:///shop/1",
        "https://:443/shop/1",
        " https://blog.naver.com/shop/1",
        "https://blog.naver.com/shop/1\n",
        "https://blog.naver.com/\tshop",
        "javascript:https://blog.naver.com/shop/1",
    };
    for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        if (accepts("https://blog.naver.com", URLS[i])) {
            fail_msg("accepts %s", URLS[i]);
        }
    }
}

static void test_naver_address_under_a_path_keeps_to_whole_segments(void **state) {
    (void)state;
    static const char SITE[] = "http://127.0.0.1:7105/naver/";
    assert_true(accepts(SITE, "http://127.0.0.1:7105/naver/shop/1"));
    assert_false(accepts(SITE, "https://127.0.0.1:7105/naver/shop/1"));
    assert_false(accepts(SITE, "http://127.0.0.1:7105/naverevil/shop/1"));
    assert_false(accepts(SITE, "http://127.0.0.1:7105/naver"));
    assert_false(accepts(SITE, "http://127.0.0.1:7105/naver?a=/b"));
    assert_false(accepts(SITE, "http://127.0.0.1:7105/other/naver/1"));
    assert_false(accepts(SITE, "http://127.0.0.1:7105/naver/../admin"));
    assert_false(accepts(SITE, "http://127.0.0.1:7105/naver/a/%2E%2e/%2e./admin"));
    assert_false(accepts(SITE, "http://127.0.0.1:7105/naver/..\\admin")); /* browsers read a slash there */
    assert_false(accepts(SITE, "http://127.0.0.1/naver/shop/1"));
    assert_true(accepts("http://blog.example:80", "http://blog.example/a"));
    assert_false(accepts("not a url", "http://blog.example/a"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_naver_package_has_all_parts),
        cmocka_unit_test(test_naver_package_escapes_what_marks_up),
        cmocka_unit_test(test_naver_package_leaves_out_what_is_empty),
        cmocka_unit_test(test_naver_package_of_the_longest_content_is_whole),
        cmocka_unit_test(test_naver_commit_hands_the_post_to_a_person),
        cmocka_unit_test(test_naver_address_of_a_post_at_the_blog_is_accepted),
        cmocka_unit_test(test_naver_other_addresses_are_refused),
        cmocka_unit_test(test_naver_address_under_a_path_keeps_to_whole_segments),
    };
    return cmocka_run_group_tests_name("distribution.naver", tests, NULL, NULL);
}
