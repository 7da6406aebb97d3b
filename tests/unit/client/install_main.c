/* What a caller writes, against the installed library alone: exits 0 if a call to nobody ends as it should. */
#include <herald/client.h>
#include <herald/event/v1/event.client.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    struct herald_channel *channel = NULL;
    struct herald_error error = {0};
    struct herald_channel_options options = {.connect_timeout_ms = 50};
    if (herald_channel_open("ipc:///nonexistent/herald.sock", &options, &channel, &error) != HERALD_OK) {
        fprintf(stderr, "%s\n", error.message);
        return 1;
    }
    Herald__Event__V1__PublishEventRequest request = HERALD__EVENT__V1__PUBLISH_EVENT_REQUEST__INIT;
    Herald__Distribution__V1__Channel channels[] = {HERALD__DISTRIBUTION__V1__CHANNEL__INSTAGRAM};
    request.user_id = (char *)"shop-1";
    request.selected_channels = channels;
    request.n_selected_channels = 1;
    struct herald_reply reply = {0};
    const Herald__Event__V1__PublishEventResponse *response = NULL;
    enum herald_code code = herald_event_v1_event_service_publish_event(channel, &request, NULL, &reply, &response);
    printf("%s %s %s\n", herald_code_name(code), reply.error.reason, herald_outcome_name(reply.outcome));
    bool good = code == HERALD_UNAVAILABLE && reply.outcome == HERALD_NOT_SENT && !response;
    herald_reply_clear(&reply);
    herald_channel_close(channel);
    return good ? 0 : 1;
}
