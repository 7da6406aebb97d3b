/* Requests and queues of them. */
#include "server/store/postgres/request.h"

#include "server/store/postgres/waiting.h"

#include <stdlib.h>

struct db_request *db_request_new(const struct db_batch *batch) {
    struct db_request *request = calloc(1, sizeof(*request));
    if (request) {
        request->batch = batch;
        request->count = batch->statement_count;
        request->writes = db_batch_writes(batch);
        request->lane = request->writes ? DB_LANE_WRITE : DB_LANE_READ;
        request->is_alone = !db_batch_reads_by_key(batch);
        request->failed = -1;
        request->made_us = clock_now_us();
        completion_init(&request->completion);
        request->completion.what = "an answer of the database";
    }
    return request;
}

struct db_request *db_request_new_check(void) {
    struct db_request *request = calloc(1, sizeof(*request));
    if (request) {
        request->is_check = request->is_alone = true;
        request->count = 1;
        request->failed = -1;
    }
    return request;
}

static void clear_results(struct db_request *request) {
    for (unsigned i = 0; i < DB_STATEMENTS_MAX; i++) {
        PQclear(request->results[i]);
        request->results[i] = NULL;
    }
}

void db_request_free(struct db_request *request) {
    clear_results(request);
    db_waiting_leave(request);
    free(request);
}

void db_request_end(struct db_request *request, enum db_request_end end) {
    request->state = DB_REQUEST_DONE;
    request->end = end;
    if (request->abandoned || request->is_check) {
        db_request_free(request);
    } else {
        completion_complete(&request->completion);
    }
}

void db_request_rewind(struct db_request *request) {
    clear_results(request);
    request->failed = -1;
    request->received = 0;
    request->answered = request->exposed = request->has_sync = false;
    request->sharing = 0;
}

/* ---- queues ---- */

void db_queue_push(struct db_queue *queue, struct db_request *request) {
    request->next = NULL;
    if (queue->tail) {
        queue->tail->next = request;
    } else {
        queue->head = request;
    }
    queue->tail = request;
    queue->length++;
}

void db_queue_push_front(struct db_queue *queue, struct db_request *request) {
    request->next = queue->head;
    queue->head = request;
    if (!queue->tail) {
        queue->tail = request;
    }
    queue->length++;
}

struct db_request *db_queue_pop(struct db_queue *queue) {
    struct db_request *request = queue->head;
    if (request) {
        queue->head = request->next;
        if (!queue->head) {
            queue->tail = NULL;
        }
        queue->length--;
        request->next = NULL;
    }
    return request;
}

void db_queue_remove(struct db_queue *queue, struct db_request *request) {
    struct db_request *before = NULL;
    for (struct db_request *at = queue->head; at != request; at = at->next) {
        before = at;
    }
    if (!before) {
        (void)db_queue_pop(queue);
        return;
    }
    before->next = request->next;
    if (queue->tail == request) {
        queue->tail = before;
    }
    queue->length--;
    request->next = NULL;
}
