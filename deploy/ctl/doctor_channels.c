/* Checks of heraldctl doctor: how the channels stand, by ListChannels. */
#include "client/base/clock.h"
#include "deploy/ctl/channel_text.h"
#include "deploy/ctl/doctor.h"
#include "deploy/ctl/enum_name.h"
#include "deploy/ctl/remote.h"
#include "herald/distribution/v1/distribution.schema.h"

#include <stdio.h>

#define CHECK_NAME "channels' states"

typedef Herald__Distribution__V1__ListChannelsResponse channel_list;

static size_t show_channel_warnings(const Herald__Distribution__V1__ChannelInfo *info, doctor_show *show, void *user) {
    struct channel_trouble troubles[CHANNEL_TROUBLES_MAX];
    size_t count = channel_troubles(info, herald_wall_us(), troubles);
    for (size_t i = 0; i < count; i++) {
        struct finding finding = {0};
        finding_warning(&finding, "%s: %s",
                        ctl_enum_name(&herald__distribution__v1__channel__descriptor, (int)info->channel),
                        troubles[i].problem);
        finding_remedy(&finding, "%s", troubles[i].remedy);
        show(user, CHECK_NAME, &finding);
    }
    return count;
}

void doctor_channel_states(const struct settings *settings, doctor_show *show, void *user) {
    Herald__Distribution__V1__ListChannelsRequest request = HERALD__DISTRIBUTION__V1__LIST_CHANNELS_REQUEST__INIT;
    struct herald_reply reply = {0};
    struct finding finding = {0};
    size_t warnings = 0;
    enum herald_code code =
        ctl_remote_call(settings_distribution_url(settings), settings->rpc_max_message_bytes,
                        herald_distribution_v1_distribution_service_list_channels_method, &request.base, NULL, &reply);
    if (code != HERALD_OK) {
        finding_warning(&finding, "not known: %s", reply.error.message);
        finding_remedy(&finding, "mend herald-distribution first, or call with a credential");
        show(user, CHECK_NAME, &finding);
    } else {
        const channel_list *list = (const channel_list *)reply.message;
        for (size_t i = 0; i < list->n_channels; i++) {
            warnings += show_channel_warnings(list->channels[i], show, user);
        }
        if (warnings == 0) {
            finding_good(&finding, "%zu channel%s: none is paused, all breakers are closed, no outcome is unknown",
                         list->n_channels, list->n_channels == 1 ? "" : "s");
            show(user, CHECK_NAME, &finding);
        }
    }
    herald_reply_clear(&reply);
}
