/* The JSON mapping, against the installed libraries alone. */
#include <herald/event/v1/event.pb-c.h>
#include <herald/event/v1/event.schema.h>
#include <herald/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    Herald__Event__V1__EventDraft draft = HERALD__EVENT__V1__EVENT_DRAFT__INIT;
    char *json = NULL;
    draft.title = (char *)"opening";
    if (herald_json_write(&herald_event_v1_event_draft_schema, &draft.base, NULL, &json, NULL) != HERALD_OK) {
        return 1;
    }
    int differs = strcmp(json, "{\"title\":\"opening\"}");
    puts(json);
    free(json);
    return differs != 0;
}
