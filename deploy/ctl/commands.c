/* The table of heraldctl's sub-commands, with the text of --help. */
#include "deploy/ctl/ctl.h"

const struct ctl_command ctl_commands[] = {
    {
        .name = "ls",
        .operands = "",
        .summary = "Lists the services and methods of the running servers",
        .detail = "Asks each server of the settings by herald.rpc.v1.Reflection; with --url only that one. With\n"
                  "--offline it lists the schemas of this build instead.\n",
        .options = "utFKG",
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
            "plain-text probe; with --token, the token is in it, and a key's signature cannot be. nngcat sends again\n"
            "when no answer has come for 60 s, so the pipe of a method that must take effect once carries an\n"
            "idempotency key.\n"
            "\n"
            "--verbose tells on standard error how the call ended and where its time went: waiting in the server, in\n"
            "the handler, of that in calls to other servers, and on the network; with -o json as one object.\n",
        .options = "uSdtkvNKG",
        .operand_min = 1,
        .operand_max = 1,
        .settings = true,
        .run = ctl_call,
    },
    {
        .name = "json",
        .operands = "",
        .summary = "Converts a message between JSON and bytes, standard input to output",
        .detail =
            "--type names the message: a full name (herald.rpc.v1.Request, google.protobuf.Timestamp), or a short one\n"
            "if only one message ends in it (PublishEventRequest). --to-json takes raw protobuf bytes, --to-binary\n"
            "JSON. What is wrong is printed on standard error with the field's path; exit status 2.\n"
            "\n"
            "With --stream any number of messages is converted: a line each in JSON; in bytes each follows its "
            "length,\n"
            "a varint. Comes from the schemas of this build; no server is asked and no settings are read.\n",
        .options = "YJB12ZL",
        .run = ctl_json,
    },
    {
        .name = "health",
        .operands = "",
        .summary = "Tells what works, by server, service and component",
        .detail = "Asks each server of the settings; with --url only that one. Exit status 5 if anything is\n"
                  "NOT_SERVING or does not answer, 2 if a URL or the settings are wrong.\n",
        .options = "utKG",
        .settings = true,
        .run = ctl_health,
    },
    {
        .name = "top",
        .operands = "",
        .summary = "Shows live what the servers do",
        .detail =
            "For each method calls and errors a second, latency and calls in flight; the tasks that have waited "
            "longest\n"
            "and what for; the last calls that failed. On a terminal it fills the screen until q or ^C; with --once,\n"
            "with -o json or elsewhere it looks twice, --interval apart, and prints the difference. A server that is\n"
            "away, silent (no answer in time) or answers with an error is shown as such; if none answers well, the\n"
            "exit status tells why. The servers' own methods (herald.rpc.v1) are shown with --verbose.\n",
        .options = "uSIOvKG",
        .settings = true,
        .run = ctl_top,
    },
    {
        .name = "bench",
        .operands = "METHOD",
        .summary = "Calls a method again and again and measures",
        .detail =
            "With --concurrency so many calls are under way at once; with --rate calls start by the clock, whatever\n"
            "their ends, and each latency counts from when its call should have begun. Ends after --duration or\n"
            "--count, or at ^C, and prints rate, errors by code, reason and outcome, and latencies; with -o json the\n"
            "whole histogram too. Calls are not retried. Methods that change something are called only with --yes; "
            "one\n"
            "that takes effect once does so for each call.\n"
            "\n"
            "Exit status 0 only if calls were measured and all of them were OK; 3 if no server saw any, 4 if none was\n"
            "answered, else 1.\n",
        .options = "uSdtPRDnXWyKG",
        .operand_min = 1,
        .operand_max = 1,
        .settings = true,
        .run = ctl_bench,
    },
    {
        .name = "failpoints",
        .operands = "",
        .summary = "Lists the places where a fault can be provoked, and what they do now",
        .detail = "Asks each server of the settings; with --url or --server only that one. Release builds have none.\n",
        .options = "uStKG",
        .settings = true,
        .run = ctl_failpoints,
    },
    {
        .name = "failpoint",
        .operands = "FAILPOINT ACTION",
        .summary = "Provokes a fault at a place in the servers",
        .detail =
            "ACTION is off, error(CODE), delay(MS), drop (a reply) or kill (the process); with 3* before it only the\n"
            "next three times, with 20% only one time in five. On each server of the settings; with --url or --server\n"
            "only on that one. Not in release builds.\n",
        .options = "uStKG",
        .operand_min = 2,
        .operand_max = 2,
        .settings = true,
        .run = ctl_failpoint,
    },
    {
        .name = "watch",
        .operands = "job JOB_ID | publish EVENT_ID USER_ID",
        .summary = "Follows a job or a publish until it goes on no more by itself",
        .detail =
            "watch job JOB_ID                   follows a job until its pictures are made, or it has failed\n"
            "watch publish EVENT_ID USER_ID     follows an event until each delivery is done, is refused or needs a\n"
            "                                   person\n"
            "\n"
            "Prints a line for each change; of a delivery: its state, when it goes on, and why it waits. On a\n"
            "terminal the last line tells how all of it stands, and changes in place. With -o json each change is a\n"
            "JSON object on a line.\n"
            "\n"
            "Exits with 0 when the job is COMPLETED or the event ACTIVE; with 1 when the job FAILED, when no channel\n"
            "accepted the event, or when --timeout ends the watch.\n",
        .options = "tKG",
        .operand_min = 2,
        .operand_max = 3,
        .settings = true,
        .run = ctl_watch,
    },
    {
        .name = "channels",
        .operands = "",
        .summary = "Shows how the channels stand",
        .detail =
            "For each channel: its adapter; its state (UNSET: not configured; PAUSED; else its breaker's state); the\n"
            "rates of failed and slow calls; calls in flight and how many there may be; deliveries that wait, and "
            "those\n"
            "whose outcome is unknown; its quota. Below: what is wrong, why, until when, and what to do. Breaker and\n"
            "calls are those of the process that answers.\n",
        .options = "ut0IKG",
        .settings = true,
        .run = ctl_channels,
    },
    {
        .name = "channel",
        .operands = "pause|resume|open|close|auto CHANNEL",
        .summary = "Pauses or resumes a channel, or takes its breaker in hand",
        .detail = "pause     sends nothing more to it, until resume; what waits stays\n"
                  "resume    ends a pause; what waits goes on now\n"
                  "open      keeps its breaker open, until auto: as pause, but the breaker shows it\n"
                  "close     switches its breaker off, until auto: all calls are made, however they end\n"
                  "auto      closes the breaker, forgets what it has counted, and lets it decide by itself\n"
                  "\n"
                  "Holds for all processes within two seconds, also after restarts. --note says why, to others on\n"
                  "duty. Prints how the channel then stands.\n",
        .options = "ut3KG",
        .operand_min = 2,
        .operand_max = 2,
        .settings = true,
        .run = ctl_channel,
    },
    {
        .name = "timeline",
        .operands = "EVENT_ID",
        .summary = "Shows the steps of an event's publish: when each began, how it ended, what comes next",
        .detail =
            "From the request to the reply, with each attempt at a channel, waits, look-ups, and what a person\n"
            "did. The times are those of the servers, shown by the clock of this machine. --user names the owner;\n"
            "a token of the owner needs none.\n",
        .options = "utUKG",
        .operand_min = 1,
        .operand_max = 1,
        .settings = true,
        .run = ctl_timeline,
    },
    {
        .name = "jobs",
        .operands = "",
        .summary = "Lists the jobs that make pictures, newest first",
        .detail = "The newest 100; with --failed all that have failed and can begin anew, with --draft those of a\n"
                  "draft, with --user those of an owner. With -o json each job is a line.\n",
        .options = "utU#$KG",
        .settings = true,
        .run = ctl_jobs,
    },
    {
        .name = "requeue",
        .operands = "JOB_ID",
        .summary = "Lets a failed job begin anew",
        .detail = "The job is PENDING again, without attempts, pictures and failure, and its record is sent to the\n"
                  "workers once more. Operators only.\n",
        .options = "utKG",
        .operand_min = 1,
        .operand_max = 1,
        .settings = true,
        .run = ctl_requeue,
    },
    {
        .name = "deliveries",
        .operands =
            "[EVENT_ID [retry|cancel|resolve|confirm|schedule|preview [CHANNEL|TIME [published|again|give-up|URL]]]]",
        .summary = "Shows an event's deliveries and what becomes of them, or changes that",
        .detail =
            "EVENT_ID                     how each delivery stands, what follows and when; with --attempts their log\n"
            "--unknown                    all deliveries whose outcome only a person can find out\n"
            "EVENT_ID retry [CHANNEL]     begins anew what was refused, expired or cancelled; what waits goes on now\n"
            "EVENT_ID cancel [CHANNEL]    cancels what is not sent yet\n"
            "EVENT_ID resolve CHANNEL published|again|give-up\n"
            "                             says what became of a delivery of unknown outcome: the channel has it "
            "(--id,\n"
            "                             --post-url), or it has not, and it is sent again or given up\n"
            "EVENT_ID confirm CHANNEL URL tells where a person has posted what was handed over\n"
            "EVENT_ID schedule TIME --zone ZONE\n"
            "                             sends nothing before TIME: 2026-12-24T09:00 by the clocks of ZONE, or an\n"
            "                             instant such as 2026-12-24T00:00:00Z\n"
            "EVENT_ID preview CHANNEL     what exactly is sent\n"
            "\n"
            "--user names the owner for whom it is done; operators and servers need none. With -o json each delivery\n"
            "of --unknown is a line.\n",
        .options = "ut456789UKG",
        .operand_max = 4,
        .settings = true,
        .run = ctl_deliveries,
    },
    {
        .name = "token",
        .operands = "",
        .summary = "Makes a bearer token, with which a person or a probe proves who calls",
        .detail =
            "Signs it with a key that the servers know: the first one of the caller in the callers file, or the one "
            "of\n"
            "--key-id and --key-file ([auth] key_id and key_file are the default where no callers file is named). The\n"
            "token goes to standard output; whoever has it can make the caller's calls until it ends.\n"
            "\n"
            "    HERALD_TOKEN=$(heraldctl token --caller operator --user u-1) heraldctl call ListEvents\n"
            "    nngcat --req --dial URL --ascii -D \"bearer $(heraldctl token --caller operator) METHOD JSON\"\n",
        .options = "AUTMEQH",
        .settings = true,
        .run = ctl_token,
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
            "of the pictures, the fonts. Exit status 5 if anything is wrong. A warning, such as a paused channel, is "
            "not.\n",
        .options = "KG",
        .run = ctl_doctor,
    },
    {
        .name = "completions",
        .operands = "bash|zsh",
        .summary = "Prints what makes a shell complete heraldctl's command lines",
        .detail = "An installed heraldctl has them in place; else: source <(heraldctl completions bash)\n",
        .options = "",
        .operand_min = 1,
        .operand_max = 1,
        .run = ctl_completions,
    },
};
const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);
