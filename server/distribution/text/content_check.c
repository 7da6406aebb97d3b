#include "server/distribution/text/content_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NUMBER_BYTES 28

const char *content_number(size_t number, char *ret_text) {
    char digits[NUMBER_BYTES];
    size_t length = (size_t)snprintf(digits, sizeof(digits), "%zu", number), out = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            ret_text[out++] = ',';
        }
        ret_text[out++] = digits[i];
    }
    ret_text[out] = '\0';
    return ret_text;
}

/* The numbers of a sentence as texts. */
struct numbers {
    char found[NUMBER_BYTES], allowed[NUMBER_BYTES], over[NUMBER_BYTES];
};

static struct numbers numbers_of(size_t found, size_t allowed) {
    struct numbers numbers;
    content_number(found, numbers.found);
    content_number(allowed, numbers.allowed);
    content_number(found - allowed, numbers.over);
    return numbers;
}

/* A new problem with its field and reason; NULL: there are too many. */
static struct content_problem *add_content_problem(struct content_problems *problems, enum herald_reason reason,
                                                   const char *field) {
    if (problems->count == CONTENT_PROBLEMS_MAX) {
        return NULL;
    }
    struct content_problem *problem = &problems->list[problems->count++];
    *problem = (struct content_problem){.reason = reason};
    snprintf(problem->field, sizeof(problem->field), "%s", field);
    return problem;
}

/* The words for a length: of a unit, in both languages. */
static const char *unit_ko(enum text_unit unit) {
    return unit == TEXT_BYTES ? "바이트" : "자";
}

static const char *unit_en(enum text_unit unit) {
    return unit == TEXT_BYTES ? "bytes" : "characters";
}

/* @name_ko  ends in a consonant, so that its particle is 이 */
static void check_length(const struct content_limits *limits, struct content_limit limit, const char *text,
                         const char *field, const char *name_ko, const char *name_en,
                         struct content_problems *problems) {
    size_t length = text != NULL && limit.max > 0 ? text_count(text, limit.unit) : 0;
    if (length <= limit.max) {
        return;
    }
    struct content_problem *problem = add_content_problem(problems, HERALD_REASON_TOO_LONG, field);
    if (problem == NULL) {
        return;
    }
    struct numbers numbers = numbers_of(length, limit.max);
    const char *ko = unit_ko(limit.unit), *en = unit_en(limit.unit);
    snprintf(problem->korean, sizeof(problem->korean), "%s: %s이 %s%s를 넘습니다 (%s%s). %s%s를 줄여 주세요.",
             limits->name_ko, name_ko, numbers.allowed, ko, numbers.found, ko, numbers.over, ko);
    snprintf(problem->english, sizeof(problem->english), "The %s has %s %s; %s takes %s. Shorten it by %s.", name_en,
             numbers.found, en, limits->name_en, numbers.allowed, numbers.over);
}

/* @word_ko  ends in a vowel, so that its particle is 는 */
static void check_count(const struct content_limits *limits, size_t count, uint32_t max, const char *field,
                        const char *word_ko, const char *word_en, struct content_problems *problems) {
    struct content_problem *problem =
        max > 0 && count > max ? add_content_problem(problems, HERALD_REASON_TOO_MANY, field) : NULL;
    if (problem == NULL) {
        return;
    }
    struct numbers numbers = numbers_of(count, max);
    snprintf(problem->korean, sizeof(problem->korean), "%s: %s는 %s개까지 쓸 수 있습니다 (%s개). %s개를 빼 주세요.",
             limits->name_ko, word_ko, numbers.allowed, numbers.found, numbers.over);
    snprintf(problem->english, sizeof(problem->english), "There are %s %s; %s takes %s. Remove %s.", numbers.found,
             word_en, limits->name_en, numbers.allowed, numbers.over);
}

static void check_buttons(const struct content_limits *limits, const struct content *content,
                          struct content_problems *problems) {
    char field[64];
    check_count(limits, content->button_count, limits->buttons_max, "content.buttons", "버튼 개수", "buttons",
                problems);
    for (size_t i = 0; i < content->button_count; i++) {
        snprintf(field, sizeof(field), "content.buttons[%zu].name", i);
        check_length(limits, limits->button, content->buttons[i], field, "버튼 이름", "button's name", problems);
    }
}

static void check_payload(const struct content_limits *limits, const struct content *content,
                          struct content_problems *problems) {
    struct content_limit limit = {(uint32_t)limits->payload_max_bytes, TEXT_BYTES};
    if (limit.max == 0 || content->payload_bytes <= limit.max) {
        return;
    }
    struct content_problem *problem = add_content_problem(problems, HERALD_REASON_TOO_LONG, "content");
    if (problem == NULL) {
        return;
    }
    struct numbers numbers = numbers_of(content->payload_bytes, limit.max);
    snprintf(problem->korean, sizeof(problem->korean),
             "%s: 보낼 내용이 %s바이트를 넘습니다 (%s바이트). 본문을 줄여 주세요.", limits->name_ko, numbers.allowed,
             numbers.found);
    snprintf(problem->english, sizeof(problem->english), "The whole post has %s bytes; %s takes %s. Shorten the text.",
             numbers.found, limits->name_en, numbers.allowed);
}

static void check_needed(const struct content_limits *limits, const struct content *content,
                         struct content_problems *problems) {
    struct content_problem *problem = NULL;
    if (limits->needs_picture && !content->has_picture &&
        (problem = add_content_problem(problems, HERALD_REASON_REQUIRED, "content.jpegUrl")) != NULL) {
        snprintf(problem->korean, sizeof(problem->korean), "%s: 사진이 필요합니다. 사진을 골라 주세요.",
                 limits->name_ko);
        snprintf(problem->english, sizeof(problem->english), "%s needs a picture. Choose one.", limits->name_en);
    }
    if (content->text[0] == '\0' &&
        (problem = add_content_problem(problems, HERALD_REASON_REQUIRED, "content.text")) != NULL) {
        snprintf(problem->korean, sizeof(problem->korean), "%s: %s이 비어 있습니다. 내용을 적어 주세요.",
                 limits->name_ko, limits->text_ko);
        snprintf(problem->english, sizeof(problem->english), "The %s for %s is empty. Write one.", limits->text_en,
                 limits->name_en);
    }
}

bool content_check(const struct content_limits *limits, const struct content *content,
                   struct content_problems *problems) {
    size_t before = problems->count;
    check_needed(limits, content, problems);
    check_length(limits, limits->title, content->title, "content.title", "제목", "title", problems);
    check_length(limits, content_limits_text(limits, content->has_picture), content->text, "content.text",
                 limits->text_ko, limits->text_en, problems);
    check_count(limits, text_count_hashtags(content->text), limits->hashtags_max, "content.text", "해시태그",
                "hashtags", problems);
    check_count(limits, text_count_mentions(content->text), limits->mentions_max, "content.text", "@ 표시 계정 수",
                "mentions", problems);
    check_buttons(limits, content, problems);
    check_payload(limits, content, problems);
    return problems->count == before;
}
