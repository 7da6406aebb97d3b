#include "server/distribution/text/owner_text.h"

#include "herald/utf8.h"

#include <stdio.h>
#include <string.h>

#define GOES_ON_KO "Herald가 자동으로 다시 시도합니다. 따로 하실 일은 없습니다."
#define GOES_ON_EN "Herald tries again by itself. You need do nothing."
#define SUPPORT_KO "저희가 확인하고 있습니다. 따로 하실 일은 없습니다."
#define SUPPORT_EN "We are looking into it. You need do nothing."
#define CHECK_KO   "두 번 올라가지 않도록 다시 보내지 않습니다. 채널에 글이 올라갔는지 확인해 주세요."
#define CHECK_EN   "It is not sent again, so that it cannot appear twice. Please look whether it is on the channel."

/* Reason, who is next, what happened in Korean and English, what follows in Korean and English. */
#define TEXT(word, who, ko, en, do_ko, do_en)                                                                          \
    {                                                                                                                  \
        .reason = #word, .next = OWNER_NEXT_##who, .happened = {ko, en}, .to_do = { do_ko, do_en }                     \
    }

static const struct owner_text TEXTS[] = {
    /* It went well, or waits as it should. */
    TEXT(PUBLISHED, NOBODY, "게시되었습니다.", "It is published.", "따로 하실 일은 없습니다.", "You need do nothing."),
    TEXT(SCHEDULED, HERALD, "예약되었습니다.", "It is scheduled.", "예약한 시각에 자동으로 게시합니다.",
         "It is published by itself at that time."),
    TEXT(QUIET_HOURS, HERALD, "밤 8시 50분부터 아침 8시까지는 광고를 보낼 수 없는 시간입니다.",
         "From 20:50 to 08:00 the channel takes no advertising.", "아침 8시 이후에 자동으로 보냅니다.",
         "It is sent by itself after 8 in the morning."),
    TEXT(CHANNEL_WORKING, HERALD, "채널이 게시물을 받아 처리하고 있습니다.",
         "The channel has the post and is working on it.", "끝나면 결과를 알려 드립니다. 따로 하실 일은 없습니다.",
         "You are told when it is done. You need do nothing."),
    TEXT(AWAITING_OPERATOR, SUPPORT, "담당자가 직접 올릴 수 있도록 글과 사진을 준비했습니다.",
         "Text and pictures are ready for a person to publish.", "담당자가 올린 뒤 주소를 알려 드립니다.",
         "You get the address when it is published."),
    /* Herald goes on by itself. */
    TEXT(CHANNEL_TIMEOUT, HERALD, "채널이 제때 답하지 않았습니다.", "The channel did not answer in time.", GOES_ON_KO,
         GOES_ON_EN),
    TEXT(CHANNEL_THROTTLED, HERALD, "채널이 지금은 게시물을 더 받지 않습니다.",
         "The channel takes no more posts for now.",
         "채널이 정한 시간이 지나면 자동으로 다시 시도합니다. 따로 하실 일은 없습니다.",
         "Herald tries again when the channel allows it. You need do nothing."),
    TEXT(QUOTA, HERALD, "오늘 이 채널에 올릴 수 있는 게시물 수를 모두 썼습니다.",
         "The posts that the channel allows for now are used up.",
         "다시 올릴 수 있게 되면 자동으로 게시합니다. 따로 하실 일은 없습니다.",
         "It is published by itself when the channel allows more. You need do nothing."),
    TEXT(CHANNEL_UNAVAILABLE, HERALD, "채널이 잠시 서비스를 멈췄습니다.", "The channel is out of service for now.",
         GOES_ON_KO, GOES_ON_EN),
    TEXT(CHANNEL_UNREACHABLE, HERALD, "채널에 연결되지 않아 아직 보내지 못했습니다.",
         "The channel cannot be reached, so nothing was sent yet.", GOES_ON_KO, GOES_ON_EN),
    TEXT(CHANNEL_FAILING, HERALD, "채널에 장애가 있어 잠시 보내기를 멈췄습니다.",
         "The channel has trouble, so sending pauses for a moment.", GOES_ON_KO, GOES_ON_EN),
    TEXT(CHANNEL_ERROR, HERALD, "채널에서 오류가 났습니다.", "The channel failed while it had the post.",
         "올라갔는지 확인하고, 다시 보낼 수 있으면 자동으로 다시 시도합니다.",
         "Herald finds out what became of it and tries again where that is safe."),
    TEXT(NOT_SENT, HERALD, "아직 보내지 못했습니다.", "It was not sent yet.", GOES_ON_KO, GOES_ON_EN),
    TEXT(CHANNEL_BUSY, HERALD, "다른 게시물을 먼저 보내고 있어 차례를 기다립니다.",
         "Other posts are on their way to the channel, and this one waits its turn.", GOES_ON_KO, GOES_ON_EN),
    TEXT(NOT_ACCEPTED, HERALD, "앞서 보낸 게시물이 채널에 올라가지 않았습니다.",
         "The channel did not take the earlier post.", GOES_ON_KO, GOES_ON_EN),
    TEXT(PREPARING_FAILED, HERALD, "채널에서 게시물을 준비하지 못했습니다.",
         "The channel could not make the post ready.", GOES_ON_KO, GOES_ON_EN),
    TEXT(PICTURE_UNREACHABLE, HERALD, "채널이 사진을 가져가지 못했습니다.", "The channel could not fetch the picture.",
         GOES_ON_KO, GOES_ON_EN),
    TEXT(KEY_REPEATED, HERALD, "이 게시물은 이미 보낸 적이 있어, 올라갔는지 채널에 확인하고 있습니다.",
         "The post was sent before, and Herald asks the channel what became of it.", GOES_ON_KO, GOES_ON_EN),
    /* Those who run Herald have to act. */
    TEXT(CLOCK_SKEW, SUPPORT, "서버 시각이 맞지 않아 채널이 받지 않았습니다.",
         "The channel refused the post because a clock is wrong.", "시각을 맞춘 뒤 자동으로 다시 보냅니다.",
         "It is sent by itself once the clock is right."),
    TEXT(CHANNEL_PAUSED, SUPPORT, "점검 때문에 이 채널로 보내기를 멈춰 두었습니다.",
         "Sending to this channel is paused.", "점검이 끝나면 자동으로 보냅니다. 따로 하실 일은 없습니다.",
         "It is sent by itself when the pause ends. You need do nothing."),
    TEXT(CHANNEL_NOT_CONFIGURED, SUPPORT, "이 채널의 연결 설정이 아직 끝나지 않았습니다.",
         "The connection to this channel is not set up yet.",
         "설정이 끝나면 자동으로 보냅니다. 따로 하실 일은 없습니다.",
         "It is sent by itself when the set-up is done. You need do nothing."),
    TEXT(CHANNEL_REDIRECTED, SUPPORT, "채널의 주소가 바뀐 것 같습니다.", "The channel's address seems to have changed.",
         SUPPORT_KO, SUPPORT_EN),
    TEXT(CHANNEL_DISABLED, SUPPORT, "채널이 연결을 꺼 두었습니다.", "The channel has switched the connection off.",
         "저희가 채널에 문의하고 있습니다. 다시 켜지면 알려 드립니다.",
         "We are asking the channel, and tell you when it is on again."),
    /* The owner has to act. */
    TEXT(CHANNEL_NEEDS_AUTH, OWNER, "채널이 로그인 정보를 받아들이지 않았습니다.",
         "The channel did not accept the login.", "채널 계정을 다시 연결해 주세요. 연결하면 자동으로 다시 보냅니다.",
         "Please connect the channel's account again. It is then sent by itself."),
    TEXT(CHANNEL_REJECTED, OWNER, "채널이 이 게시물을 거절했습니다.", "The channel refused the post.",
         "글이나 사진을 고쳐서 다시 보내 주세요.", "Please change the text or the picture and send it again."),
    TEXT(PICTURE_REFUSED, OWNER, "채널이 이 사진을 받지 않습니다.", "The channel does not take the picture.",
         "사진을 바꿔서 다시 보내 주세요.", "Please change the picture and send it again."),
    TEXT(ACCOUNT_RESTRICTED, OWNER, "채널이 계정 사용을 제한했습니다.", "The channel has restricted the account.",
         "채널 앱에 로그인해 안내대로 제한을 풀어 주세요. 풀리면 자동으로 다시 보냅니다.",
         "Please log in to the channel's app and do what it asks. The post is then sent by itself."),
    TEXT(CONTENT_INVALID, OWNER, "이 채널에 맞지 않는 내용이 있어 보내지 않았습니다.",
         "The channel would not take the content, so it was not sent.", "표시된 부분을 고쳐서 다시 보내 주세요.",
         "Please change what is listed and send it again."),
    TEXT(EXPIRED, OWNER, "정해진 시간 안에 보내지 못해 그만두었습니다.",
         "It could not be sent in time and was given up.", "아직 필요하면 다시 보내기를 눌러 주세요.",
         "If you still need it, please send it again."),
    TEXT(OUTCOME_UNKNOWN, OWNER, "보냈지만 채널에 올라갔는지 알 수 없습니다.",
         "It was sent, and the channel does not say whether it is published.", CHECK_KO, CHECK_EN),
    TEXT(CHANNEL_LOST, OWNER, "보냈지만 채널의 답을 받지 못했습니다.",
         "It was sent, and the channel's answer was lost.", CHECK_KO, CHECK_EN),
    TEXT(LOOK_UP_FAILED, OWNER, "채널이 게시물이 어떻게 되었는지 알려 주지 않습니다.",
         "The channel does not say what became of the post.", CHECK_KO, CHECK_EN),
    TEXT(GIVEN_UP, NOBODY, "담당자가 더 이상 보내지 않기로 했습니다.", "A person decided that it is not sent.",
         "아직 필요하면 다시 보내기를 눌러 주세요.", "If you still need it, please send it again."),
    TEXT(CANCELLED, NOBODY, "취소되었습니다.", "It was cancelled.", "이 채널로는 보내지 않습니다.",
         "Nothing is sent to this channel."),
};

/* For a reason of a newer server. */
static const struct owner_text GENERAL =
    TEXT(, SUPPORT, "아직 게시되지 않았습니다.", "It is not published yet.", SUPPORT_KO, SUPPORT_EN);

const struct owner_text *owner_text_find(const char *reason) {
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        if (strcmp(TEXTS[i].reason, reason) == 0) {
            return &TEXTS[i];
        }
    }
    return NULL;
}

const char *owner_text_write(const char *reason, const char *channel, enum owner_language language, char *ret_text,
                             size_t room) {
    const struct owner_text *text = owner_text_find(reason);
    if (text == NULL) {
        text = &GENERAL;
    }
    int bytes = snprintf(ret_text, room, "%s: %s %s", channel, text->happened[language], text->to_do[language]);
    if (bytes >= 0 && (size_t)bytes >= room && room > 0) {
        /* snprintf() may have cut inside a character. */
        size_t end = strlen(ret_text);
        while (end > 0 && !herald_utf8_valid(ret_text, end, NULL)) {
            end--;
        }
        ret_text[end] = '\0';
    }
    return ret_text;
}
