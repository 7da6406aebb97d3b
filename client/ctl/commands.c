#include "client/ctl/ctl.h"

const struct ctl_command ctl_commands[] = {
    {
        .name = "ls",
        .operands = "",
        .summary = "Lists the services and methods of the running servers",
        .detail = "Asks each server of the settings by herald.rpc.v1.Reflection; with --url only that one. With\n"
                  "--offline it lists the schemas of this build instead.\n",
        .options = "utF",
        .settings = true,
        .run = ctl_ls,
    },
    {
        .name = "describe",
        .operands = "NAME",
        .summary = "Shows a service, method, message or enum with its documentation",
        .detail = "NAME is a full name, or a short one if only one element ends in it: PublishEvent, EventDraft.\n"
                  "Comes from the schemas of this build; no server is asked.\n",
        .options = "",
        .operand_min = 1,
        .operand_max = 1,
        .run = ctl_describe,
    },
    {
        .name = "call",
        .operands = "METHOD",
        .summary = "Calls a method with a JSON request and prints the JSON response",
        .detail =
            "METHOD is a full name (herald.event.v1.EventService/PublishEvent) or a short one if only one method\n"
            "ends in it (EventService/PublishEvent, PublishEvent). The server is chosen by the method's package;\n"
            "--server or --url choose another. An error is printed on standard error with its code, reason and one\n"
            "line for each field that is wrong. With -o json the response is one line, and so is the error.\n"
            "\n"
            "--print-nngcat prints a shell pipe that makes the same call with nothing but nng's own tools, as a\n"
            "plain-text probe. nngcat sends again when no answer has come for 60 s, so the pipe of a method that must\n"
            "take effect once carries an idempotency key.\n",
        .options = "uSdtkvN",
        .operand_min = 1,
        .operand_max = 1,
        .settings = true,
        .run = ctl_call,
    },
    {
        .name = "health",
        .operands = "",
        .summary = "Tells what works, by server, service and component",
        .detail = "Asks each server of the settings; with --url only that one. Exit status 5 if anything is\n"
                  "NOT_SERVING or does not answer.\n",
        .options = "ut",
        .settings = true,
        .run = ctl_health,
    },
    {
        .name = "watch",
        .operands = "job JOB_ID | publish EVENT_ID USER_ID",
        .summary = "Follows a job or a publish until it has ended",
        .detail =
            "watch job JOB_ID                   waits for the pictures of a job\n"
            "watch publish EVENT_ID USER_ID     waits until an event is published\n"
            "\n"
            "On a terminal one line changes in place; else each change is a line. With -o json each change is\n"
            "a JSON object on a line. Exit status 0 when the job is COMPLETED or the event ACTIVE, 1 when the job\n"
            "FAILED or no channel accepted the event. --timeout ends the watch with 1.\n",
        .options = "t",
        .operand_min = 2,
        .operand_max = 3,
        .settings = true,
        .run = ctl_watch,
    },
    {
        .name = "migrate",
        .operands = "",
        .summary = "Brings the database's schema to this build's version",
        .detail =
            "Applies the missing migrations to the database of [pg] dsn, each in a transaction, under a lock, so\n"
            "that it may run at the same time in many places. With --check it only tells; exit status 5 if the\n"
            "schema is not at this build's version.\n",
        .options = "C",
        .settings = true,
        .run = ctl_migrate,
    },
    {
        .name = "doctor",
        .operands = "",
        .summary = "Checks everything that Herald needs and says how to mend what is wrong",
        .detail =
            "Settings, Postgres and its schema, Redis, Kafka and its topics, the servers, the channels, the folder\n"
            "of the pictures, the fonts. Exit status 5 if anything is wrong.\n",
        .options = "",
        .run = ctl_doctor,
    },
};
const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);
