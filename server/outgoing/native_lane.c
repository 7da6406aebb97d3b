/*
 * A connection of one loop to one endpoint: dials, again and again, sends requests and gives replies to their operations.
 * A request has the number that SP's REQ puts in front of it: four bytes, the highest bit set.
 */
#include "client/base/random.h"
#include "server/outgoing/native_calls_private.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Backoff of reconnects: the first nearly at once, then less and less often. Only a reply shows that a server is well: one
 * may greet and break the protocol then, each time. */
#define RECONNECT_MIN_MS 10u
#define RECONNECT_MAX_MS 1000u
#define GREETING_MS      5000u
/* Messages wait for room in the queue when so much is not taken by the kernel yet: there they are known not to be sent. */
#define UNSENT_BYTES (256u * 1024u)
#define ID_BYTES     4u
#define ID_BIT       0x80000000u
/* What a reply may be longer than its body, as nng counts. */
#define HEADER_BYTES 16u

/* ---- the table of requests that wait for their reply ---- */

static struct op **table_slot(const struct lane *lane, uint32_t id) {
    return &lane->table[id & (lane->table_size - 1)];
}

static bool reserve_slot(struct lane *lane) {
    if (lane->table_count < lane->table_size) {
        return true;
    }
    size_t old_size = lane->table_size, size = old_size > 0 ? old_size * 2 : 64;
    struct op **old = lane->table, **table = calloc(size, sizeof(struct op *));
    if (table == NULL) {
        return false;
    }
    lane->table = table;
    lane->table_size = size;
    for (size_t i = 0; i < old_size; i++) {
        while (old[i] != NULL) {
            struct op *op = old[i];
            LL_DELETE(old[i], op);
            LL_PREPEND(*table_slot(lane, op->id), op);
        }
    }
    free(old);
    return true;
}

static struct op *find_op(const struct lane *lane, uint32_t id) {
    struct op *op = lane->table_size > 0 ? *table_slot(lane, id) : NULL;
    while (op != NULL && op->id != id) {
        op = op->next;
    }
    return op;
}

static uint32_t next_id(struct lane *lane) {
    do {
        lane->last_id = (lane->last_id + 1) | ID_BIT;
    } while (find_op(lane, lane->last_id) != NULL);
    return lane->last_id;
}

static void list(struct lane *lane, struct op *op) {
    LL_PREPEND(*table_slot(lane, op->id), op);
    lane->table_count++;
    op->is_listed = true;
    op_share(op);
}

void lane_forget(struct op *op) {
    struct lane *lane = op->lane;
    if (op->state == OP_QUEUED) {
        DL_DELETE(lane->queue, op);
    }
    if (op->is_listed) {
        LL_DELETE(*table_slot(lane, op->id), op);
        lane->table_count--;
        op->is_listed = false;
        op_unshare(op);
    }
}

/* ---- sending ---- */

static bool lane_has_room(const struct lane *lane) {
    return lane->is_open && native_stream_unsent(lane->stream) < UNSENT_BYTES;
}

/* Gives the message to the stream. False: the stream has ended, or there is no memory. */
static bool put_request(struct lane *lane, struct op *op) {
    if (!reserve_slot(lane)) {
        return false;
    }
    op->id = next_id(lane);
    const uint8_t id[ID_BYTES] = {(uint8_t)(op->id >> 24), (uint8_t)(op->id >> 16), (uint8_t)(op->id >> 8),
                                  (uint8_t)op->id};
    const struct native_part parts[] = {{id, sizeof(id)}, {op->request.bytes, op->request.count}};
    if (native_stream_send(lane->stream, parts, 2) == 0) {
        return false;
    }
    herald_buffer_reset(&op->request, OP_KEPT_BYTES);
    list(lane, op);
    return true;
}

bool lane_send(struct lane *lane, struct op *op) {
    op->lane = lane;
    lane_use(lane);
    if (lane->queue == NULL && lane_has_room(lane) && put_request(lane, op)) {
        op->state = OP_SENT;
        return true;
    }
    op->state = OP_QUEUED;
    DL_APPEND(lane->queue, op);
    return false;
}

/* Sends what waits, as long as there is room. */
static void pump(struct lane *lane) {
    while (lane->queue != NULL && lane_has_room(lane)) {
        struct op *op = lane->queue;
        DL_DELETE(lane->queue, op);
        if (!put_request(lane, op)) {
            DL_PREPEND(lane->queue, op);
            return;
        }
        op->state = OP_SENT;
        op_complete(op, 0);
    }
}

/* ---- the stream ---- */

static void on_stream_open(void *user) {
    struct lane *lane = user;
    lane->is_open = true;
    herald_endpoint_note_connection(lane->line->endpoint, true);
    pump(lane);
}

static void on_stream_sent(void *user, uint64_t position) {
    (void)position;
    pump(user);
}

/* Keeps a reply for later. Returns: the result of its receive */
static int keep_reply(struct op *op, const uint8_t *data, size_t bytes) {
    if (!herald_buffer_reserve(&op->kept, bytes > 0 ? bytes : 1)) {
        return NNG_ENOMEM;
    }
    if (bytes > 0) {
        memcpy(op->kept.bytes, data, bytes);
    }
    op->reply = op->kept.bytes;
    return 0;
}

/* A number that nobody waits for any more is of a request that was given up. */
static bool on_stream_message(void *user, uint8_t *data, size_t bytes) {
    struct lane *lane = user;
    if (bytes < ID_BYTES) {
        native_stream_close(lane->stream);
        return true;
    }
    uint32_t id = (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
    struct op *op = find_op(lane, id);
    if (op == NULL) {
        return true;
    }
    herald_backoff_succeeded(&lane->backoff);
    op->reply_bytes = bytes - ID_BYTES;
    if (op->state == OP_WAITING && op->call->kind != CALL_BLOCKING) {
        op->reply = data + ID_BYTES;
        op_complete(op, 0); /* reads it */
        return true;
    }
    int result = keep_reply(op, data + ID_BYTES, bytes - ID_BYTES);
    if (op->state == OP_WAITING) {
        op_complete(op, result);
        return true;
    }
    op->state = OP_ANSWERED;
    op->answer = result;
    lane_forget(op);
    return true;
}

/* Ends what waits for a reply, which may have been executed. */
static void lose_requests(struct lane *lane, int result) {
    struct op *lost = NULL, *op, *next;
    for (size_t i = 0; i < lane->table_size; i++) {
        while (lane->table[i] != NULL) {
            op = lane->table[i];
            LL_DELETE(lane->table[i], op);
            LL_PREPEND(lost, op);
            op->is_listed = false; /* the reference is now that of the list */
        }
    }
    lane->table_count = 0;
    LL_FOREACH_SAFE (lost, op, next) {
        if (op->state == OP_WAITING) {
            op_share(op);
            op_complete(op, result);
            op_unshare(op);
        } else {
            op->state = OP_ANSWERED;
            op->answer = result;
        }
        op_unshare(op);
    }
}

static void on_stream_end(void *user, enum native_end why);

static const struct native_stream_ops stream_ops = {
    .on_open = on_stream_open,
    .on_message = on_stream_message,
    .on_sent = on_stream_sent,
    .on_end = on_stream_end,
};

static void dial_lane(struct lane *lane) {
    const struct line *line = lane->line;
    struct native_stream_options options = {
        .protocol = NATIVE_REQ,
        .is_ipc = line->is_ipc,
        .max_message_bytes = (uint64_t)line->max_bytes + HEADER_BYTES,
        .greeting_ms = GREETING_MS,
        .ops = &stream_ops,
        .user = lane,
    };
    if (line->secure != NULL) {
        options.secure_ops = &native_tls_ops;
        options.secure = secure_dial(line->secure);
        if (options.secure == NULL) {
            return;
        }
    }
    lane->stream = native_stream_dial(lane->hub->streams, line->url, &options);
}

static void dial_later(struct lane *lane) {
    hub_set_due(lane->hub, &lane->redial, herald_now_ms() + herald_backoff_failed(&lane->backoff));
}

static void dial_or_wait(struct lane *lane) {
    dial_lane(lane);
    if (lane->stream == NULL) { /* no memory */
        dial_later(lane);
    }
}

static void on_redial(struct due *due) {
    struct lane *lane = (struct lane *)due;
    if (!lane->is_closing) {
        dial_or_wait(lane);
    }
}

static void end_lane(struct lane *lane) {
    struct hub *hub = lane->hub;
    if (lane->is_used) {
        lane->is_used = false;
        DL_DELETE(hub->lanes, lane);
        hub_leave(hub);
    }
    free(lane->table);
    lane->table = NULL;
    lane->table_size = 0;
    lane->is_ended = true;
    if (lane->is_told) {
        atomic_fetch_sub(&lane->line->open_lanes, 1);
    }
}

static void on_stream_end(void *user, enum native_end why) {
    struct lane *lane = user;
    (void)why;
    lane->stream = NULL;
    if (lane->is_open) {
        lane->is_open = false;
        herald_endpoint_note_connection(lane->line->endpoint, false);
    }
    if (lane->is_closing) {
        end_lane(lane);
        return;
    }
    dial_later(lane);
    lose_requests(lane, NNG_ECONNRESET);
}

/* ---- life ---- */

void lane_init(struct lane *lane, struct line *line, struct hub *hub) {
    lane->redial = (struct due){.index = DUE_NONE, .fire = on_redial};
    lane->line = line;
    lane->hub = hub;
    lane->backoff = (struct herald_backoff){.min_ms = RECONNECT_MIN_MS, .max_ms = RECONNECT_MAX_MS};
    lane->last_id = (uint32_t)herald_random();
}

void lane_use(struct lane *lane) {
    if (lane->is_used || lane->is_closing || !hub_enter(lane->hub)) {
        return;
    }
    lane->is_used = true;
    DL_APPEND(lane->hub->lanes, lane);
    dial_or_wait(lane);
}

void lane_close(struct lane *lane) {
    if (lane->is_closing) {
        return;
    }
    lane->is_closing = true;
    hub_clear_due(lane->hub, &lane->redial);
    while (lane->queue != NULL) {
        op_complete(lane->queue, NNG_ECLOSED);
    }
    lose_requests(lane, NNG_ECLOSED);
    if (lane->stream != NULL) {
        native_stream_close(lane->stream);
    } else {
        end_lane(lane);
    }
}

void lane_close_for_good(struct lane *lane) {
    bool was_ended = lane->is_ended;
    lane->is_told = true;
    if (was_ended) {
        atomic_fetch_sub(&lane->line->open_lanes, 1);
    } else {
        lane_close(lane);
    }
}
