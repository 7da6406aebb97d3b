// A C++17 caller, against the installed library alone: exits 0 if a call to nobody ends as it should. The test writes
// all_headers.h, which includes every installed header.
#include "all_headers.h"

#include <cstdlib>
#include <iostream>
#include <string>

namespace {

std::string text_of(const char *json_title) {
    Herald__Event__V1__EventDraft draft = HERALD__EVENT__V1__EVENT_DRAFT__INIT;
    std::string title = json_title;
    char *json = nullptr;
    draft.title = title.data();
    if (herald_json_write(&herald_event_v1_event_draft_schema, &draft.base, nullptr, &json, nullptr) != HERALD_OK) {
        return "";
    }
    std::string text = json;
    std::free(json);
    return text;
}

herald_outcome call_nobody(herald_channel *channel) {
    Herald__Event__V1__GetEventRequest request = HERALD__EVENT__V1__GET_EVENT_REQUEST__INIT;
    const Herald__Event__V1__GetEventResponse *response = nullptr;
    herald_reply reply{};
    herald_code code = herald_event_v1_event_service_get_event(channel, &request, nullptr, &reply, &response);
    herald_outcome outcome = reply.outcome;
    std::cout << herald_code_name(code) << ' ' << reply.error.reason << ' ' << herald_outcome_name(outcome) << ' '
              << herald_event_v1_event_status_name(HERALD__EVENT__V1__EVENT_STATUS__ACTIVE) << ' '
              << text_of("opening") << '\n';
    herald_reply_clear(&reply);
    return outcome;
}

} // namespace

int main() {
    herald_channel *channel = nullptr;
    herald_error error{};
    herald_channel_options options{};
    options.connect_timeout_ms = 50;
    if (herald_channel_open("ipc:///nonexistent/herald.sock", &options, &channel, &error) != HERALD_OK) {
        std::cerr << error.message << '\n';
        return 1;
    }
    herald_outcome outcome = call_nobody(channel);
    herald_channel_close(channel);
    return outcome == HERALD_NOT_SENT ? 0 : 1;
}
