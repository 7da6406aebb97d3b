/* heraldctl channels and channel: how the channels stand, and what an operator does to one. */
#include "client/base/clock.h"
#include "deploy/ctl/ask.h"
#include "deploy/ctl/channel_text.h"
#include "deploy/ctl/methods.h"
#include "deploy/ctl/remote.h"
#include "deploy/ctl/report.h"
#include "deploy/ctl/screen.h"
#include "deploy/ctl/words.h"
#include "herald/distribution/v1/distribution.schema.h"

#include <stdlib.h>
#include <time.h>

#define LIST_CHANNELS       herald_distribution_v1_distribution_service_list_channels_method
#define CONTROL_CHANNEL     herald_distribution_v1_distribution_service_control_channel_method
#define ACTION_OF(name)     HERALD__DISTRIBUTION__V1__CHANNEL_ACTION__##name
#define WATCH_INTERVAL_MS   1000u
#define LOOK_AT_CHANNELS_MS 5000u

/* ---- channels ---- */

static void show_channels(const struct ctl *ctl, const ProtobufCMessage *response) {
    const Herald__Distribution__V1__ListChannelsResponse *list =
        (const Herald__Distribution__V1__ListChannelsResponse *)response;
    (void)ctl;
    channel_text_print(list->channels, list->n_channels, herald_wall_us(), stdout);
}

/* Writes one look, or why there was none. */
static void write_look(struct ctl *ctl, struct herald_channel *channel, FILE *out) {
    Herald__Distribution__V1__ListChannelsRequest request = HERALD__DISTRIBUTION__V1__LIST_CHANNELS_REQUEST__INIT;
    uint32_t timeout_ms = ctl->arguments->timeout_ms > 0 ? ctl->arguments->timeout_ms : LOOK_AT_CHANNELS_MS;
    const struct herald_call_options options = {.timeout_ms = timeout_ms};
    struct herald_reply reply = {0};
    if (herald_call(channel, LIST_CHANNELS, &request.base, &options, &reply) == HERALD_OK) {
        const Herald__Distribution__V1__ListChannelsResponse *list =
            (const Herald__Distribution__V1__ListChannelsResponse *)reply.message;
        channel_text_print(list->channels, list->n_channels, herald_wall_us(), out);
    } else {
        report_reply(out, CTL_TABLE, LIST_CHANNELS->full_name, &reply);
    }
    herald_reply_clear(&reply);
}

static void draw_channels(struct ctl *ctl, struct herald_channel *channel, uint32_t interval_ms) {
    char *text = NULL, at[32] = "";
    size_t bytes = 0;
    time_t now = time(NULL);
    struct tm local;
    FILE *memory = open_memstream(&text, &bytes);
    if (memory == NULL) {
        return;
    }
    if (localtime_r(&now, &local) != NULL) {
        strftime(at, sizeof(at), "%H:%M:%S", &local);
    }
    fprintf(memory, "heraldctl channels  %s  every %g s  q ends\n\n", at, interval_ms / 1e3);
    write_look(ctl, channel, memory);
    if (fclose(memory) == 0) {
        screen_draw(text);
    }
    free(text);
}

/* Waits for the next look; a key or a changed size does not end the wait. Returns: false: the user wants to quit */
static bool wait_for_look(uint64_t until_us) {
    for (uint64_t now_us = herald_monotonic_us(); now_us < until_us; now_us = herald_monotonic_us()) {
        if (!screen_wait((uint32_t)((until_us - now_us) / 1000u) + 1u)) {
            return false;
        }
    }
    return true;
}

static int watch_channels(struct ctl *ctl) {
    uint32_t interval_ms = ctl->arguments->interval_ms > 0 ? ctl->arguments->interval_ms : WATCH_INTERVAL_MS;
    struct herald_channel *channel = NULL;
    struct herald_error error;
    if (ctl_remote_open(methods_url(ctl->arguments, &ctl->settings, LIST_CHANNELS), ctl->settings.rpc_max_message_bytes,
                        NULL, &channel, &error) != HERALD_OK) {
        screen_close();
        report_error(stderr, ctl->arguments->format, "channels", &error);
        return CTL_USAGE;
    }
    uint64_t next_us;
    do {
        next_us = herald_monotonic_us() + interval_ms * UINT64_C(1000);
        draw_channels(ctl, channel, interval_ms);
    } while (wait_for_look(next_us));
    screen_close();
    herald_channel_close(channel);
    return CTL_OK;
}

int ctl_channels(struct ctl *ctl) {
    Herald__Distribution__V1__ListChannelsRequest request = HERALD__DISTRIBUTION__V1__LIST_CHANNELS_REQUEST__INIT;
    if (ctl->arguments->watch && ctl->arguments->format == CTL_TABLE && screen_open()) {
        return watch_channels(ctl);
    }
    return ask(ctl, LIST_CHANNELS, &request.base, show_channels);
}

/* ---- channel ---- */

static const char *const action_words[] = {"pause", "resume", "open", "close", "auto"};
static const int actions[] = {ACTION_OF(PAUSE), ACTION_OF(RESUME), ACTION_OF(BREAKER_FORCE_OPEN),
                              ACTION_OF(BREAKER_DISABLE), ACTION_OF(BREAKER_AUTOMATIC)};
#define ACTION_COUNT (sizeof(actions) / sizeof(actions[0]))

static void show_controlled_channel(const struct ctl *ctl, const ProtobufCMessage *response) {
    Herald__Distribution__V1__ChannelInfo *channel =
        ((const Herald__Distribution__V1__ControlChannelResponse *)response)->channel;
    (void)ctl;
    channel_text_print(&channel, channel != NULL ? 1 : 0, herald_wall_us(), stdout);
}

int ctl_channel(struct ctl *ctl) {
    const struct ctl_arguments *arguments = ctl->arguments;
    Herald__Distribution__V1__ControlChannelRequest request = HERALD__DISTRIBUTION__V1__CONTROL_CHANNEL_REQUEST__INIT;
    size_t place = 0;
    if (!words_choose("action", action_words, ACTION_COUNT, arguments->operands[0], &place) ||
        !channel_of_word(arguments->operands[1], &request.channel)) {
        return CTL_USAGE;
    }
    request.action = (Herald__Distribution__V1__ChannelAction)actions[place];
    if (arguments->note != NULL) {
        request.note = (char *)arguments->note;
    }
    return ask(ctl, CONTROL_CHANNEL, &request.base, show_controlled_channel);
}
