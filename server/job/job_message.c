#include "server/job/job_message.h"

#include "server/runtime/proto_arena.h"

#include <string.h>

static bool add_picture_message(Herald__Job__V1__Job *message, const struct job_picture *picture) {
    Herald__Job__V1__Picture *made = ARENA_MESSAGE(herald__job__v1__picture);
    if (!made) {
        return false;
    }
    made->style = (Herald__Job__V1__Style)picture->style;
    made->png_url = borrow_str(picture->png_url);
    made->jpeg_url = borrow_str(picture->jpeg_url);
    message->pictures[message->n_pictures++] = made;
    return true;
}

static bool add_pictures(Herald__Job__V1__Job *message, const struct job_row *job) {
    message->pictures = arena_calloc(call_arena(), JOB_STYLES, sizeof(message->pictures[0]));
    if (!message->pictures) {
        return false;
    }
    for (size_t i = 0; i < JOB_STYLES; i++) {
        if (job->pictures[i].style != 0 && !add_picture_message(message, &job->pictures[i])) {
            return false;
        }
    }
    return true;
}

/* Counts the lines; the empty text has none. */
static size_t count_lines(const char *text) {
    size_t count = text[0] != '\0';
    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static bool add_warnings(Herald__Job__V1__Job *message, const struct job_row *job) {
    const char *line = job->warnings;
    size_t count = count_lines(line);
    message->warnings = arena_calloc(call_arena(), count + 1, sizeof(message->warnings[0]));
    while (message->warnings && message->n_warnings < count) {
        size_t bytes = strcspn(line, "\n");
        char *copy = arena_strndup(call_arena(), line, bytes);
        if (!copy) {
            return false;
        }
        message->warnings[message->n_warnings++] = copy;
        line += bytes + (line[bytes] == '\n');
    }
    return message->warnings != NULL;
}

Herald__Job__V1__Job *job_message(const struct job_row *job) {
    Herald__Job__V1__Job *message = ARENA_MESSAGE(herald__job__v1__job);
    if (!message) {
        return NULL;
    }
    message->job_id = borrow_str(job->id);
    message->event_draft_id = borrow_str(job->event_draft_id);
    message->status = (Herald__Job__V1__JobStatus)job->status;
    message->progress_percent = job->progress_percent;
    message->failure = borrow_str(job->failure);
    message->version = job->version;
    message->attempts = job->attempts;
    message->dead_letter = job->is_dead_letter;
    bool complete = add_pictures(message, job) && add_warnings(message, job) &&
                    arena_timestamp(job->created_at_us, &message->created_at) &&
                    arena_timestamp(job->updated_at_us, &message->updated_at);
    return complete ? message : NULL;
}
