/*
 * The engine: takes the operations of calls to the hub of the loop that posts them, or to the first one. On the loop
 * nothing is posted and nobody is woken: a message that a connection takes leaves at the end of the turn, and its reply
 * drives the call on where it is read.
 *
 * Completions never come from within a function of the engine, which is called with locks held. One that is known at once
 * is posted to the loop.
 */
#include "server/outgoing/native_calls.h"

#include "client/base/clock.h"
#include "server/outgoing/native_calls_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often a thread that waits for loops looks whether they still run. */
#define LOOK_MS 2

static struct native_calls *calls_of(const struct herald_engine *engine) {
    return (struct native_calls *)(uintptr_t)engine; /* its first member */
}

static struct native_calls *calls_of_call(const struct herald_call *call) {
    return calls_of(call->channel->engine);
}

static struct op *op_of(const struct herald_call *call) {
    return call->operations;
}

/* ---- completions ---- */

static struct hub *hub_of(const struct op *op) {
    return atomic_load_explicit(&op->hub, memory_order_relaxed);
}

static void leave_hub(struct op *op) {
    if (op->is_user) {
        op->is_user = false;
        hub_leave(hub_of(op));
    }
}

/* Takes an operation out of the hub. */
static void abandon(struct op *op) {
    hub_clear_due(hub_of(op), &op->due);
    if (op->lane != NULL) {
        lane_forget(op);
        op->lane = NULL;
    }
    op->state = OP_IDLE;
    leave_hub(op);
}

void op_complete(struct op *op, int result) {
    struct herald_call *call = op->call;
    op->result = result;
    if (op->state == OP_SENT) {
        hub_clear_due(hub_of(op), &op->due);
    } else {
        abandon(op);
    }
    if (call->kind != CALL_BLOCKING) {
        call->channel->on_completion(call);
        return;
    }
    pthread_mutex_lock(&op->mutex);
    op->is_done = true;
    pthread_cond_signal(&op->done);
    pthread_mutex_unlock(&op->mutex);
    op_unshare(op); /* of the operation */
}

static void on_ending(struct loop_work *work) {
    struct op *op = (struct op *)work;
    op_complete(op, op->result);
}

/* Completes an operation from within a function of the engine. */
static void end_soon(struct op *op, int result) {
    op->state = OP_ENDING;
    op->result = result;
    op->work.run = on_ending;
    loop_post(hub_of(op)->loop, &op->work);
}

static void on_due(struct due *due) {
    struct op *op = (struct op *)(void *)((char *)due - offsetof(struct op, due));
    op_complete(op, op->state == OP_PAUSING ? 0 : NNG_ETIMEDOUT);
}

/* ---- operations, on the hub's thread ---- */

/* False: the operation ends soon. */
static bool enter_hub(struct op *op) {
    struct hub *hub = hub_of(op);
    op->is_user = hub_enter(hub);
    if (!op->is_user) {
        end_soon(op, hub->is_ended ? NNG_ECLOSED : NNG_ENOMEM);
    }
    return op->is_user;
}

/* True: the message was taken. */
static bool begin_send(struct op *op) {
    struct hub *hub = hub_of(op);
    struct line *line = op->call->endpoint->line;
    struct lane *lane = &line->lanes[loop_index(hub->loop)];
    if (!enter_hub(op)) {
        return false;
    }
    herald_buffer_reset(&op->kept, OP_KEPT_BYTES); /* of the call before */
    if (lane->is_closing) {
        end_soon(op, NNG_ECLOSED);
        return false;
    }
    if (lane_send(lane, op)) {
        return true;
    }
    hub_set_due(hub, &op->due, herald_now_ms() + op->limit_ms);
    return false;
}

static void begin_receive(struct op *op) {
    if (op->state == OP_ANSWERED) {
        end_soon(op, op->answer);
        return;
    }
    op->state = OP_WAITING;
    hub_set_due(hub_of(op), &op->due, op->call->reply_until_ms);
}

static void begin_pause(struct op *op) {
    if (enter_hub(op)) {
        op->state = OP_PAUSING;
        hub_set_due(hub_of(op), &op->due, herald_now_ms() + op->limit_ms);
    }
}

static void on_posted_send(struct loop_work *work) {
    struct op *op = (struct op *)work;
    if (op->state != OP_IDLE) {
        abandon(op); /* of a blocking call that was cancelled between its send and its receive */
    }
    if (begin_send(op)) {
        op_complete(op, 0);
    }
}

static void on_posted_receive(struct loop_work *work) {
    begin_receive((struct op *)work);
}

static void on_posted_pause(struct loop_work *work) {
    struct op *op = (struct op *)work;
    if (op->state != OP_IDLE) {
        abandon(op);
    }
    begin_pause(op);
}

/* Chooses the hub of an operation. False: it is another thread's, and the operation is posted to it. */
static bool choose_hub(struct herald_call *call, int64_t limit_ms, void (*run)(struct loop_work *work)) {
    struct native_calls *calls = calls_of_call(call);
    struct op *op = op_of(call);
    struct hub *hub = hub_current(calls);
    op->limit_ms = limit_ms;
    atomic_store(&op->hub, hub != NULL ? hub : &calls->hubs[0]);
    atomic_fetch_add(&op->sequence, 1);
    if (call->kind == CALL_BLOCKING) {
        op->is_done = false;
        op_share(op);
    }
    if (hub != NULL) {
        return true;
    }
    op->work.run = run;
    loop_post(calls->hubs[0].loop, &op->work);
    return false;
}

/* ---- the engine's functions: operations ---- */

static uint8_t *make_op_request(struct herald_call *call, size_t bytes) {
    struct op *op = op_of(call);
    if (!herald_buffer_reserve(&op->request, bytes > 0 ? bytes : 1)) {
        return NULL;
    }
    op->request.count = bytes;
    return op->request.bytes;
}

static void drop_op_request(struct herald_call *call) {
    herald_buffer_reset(&op_of(call)->request, OP_KEPT_BYTES);
}

static bool post_op_send(struct herald_call *call, int64_t limit_ms) {
    return choose_hub(call, limit_ms, on_posted_send) && begin_send(op_of(call));
}

static void post_op_receive(struct herald_call *call, int64_t limit_ms) {
    if (choose_hub(call, limit_ms, on_posted_receive)) {
        begin_receive(op_of(call));
    }
}

static bool prepare_op_pause(struct herald_call *call) {
    (void)call;
    return true;
}

static void post_op_pause(struct herald_call *call, uint32_t ms) {
    if (choose_hub(call, ms, on_posted_pause)) {
        begin_pause(op_of(call));
    }
}

static int op_result(struct herald_call *call, enum herald_operation operation) {
    (void)operation;
    return op_of(call)->result;
}

static struct herald_received take_op_reply(struct herald_call *call) {
    const struct op *op = op_of(call);
    return (struct herald_received){.bytes = op->reply, .count = op->reply_bytes};
}

static void wait_for_op(const struct herald_call *call, enum herald_operation operation) {
    struct op *op = op_of(call);
    (void)operation;
    pthread_mutex_lock(&op->mutex);
    while (!op->is_done) {
        pthread_cond_wait(&op->done, &op->mutex);
    }
    pthread_mutex_unlock(&op->mutex);
}

static void on_op_cancel(struct loop_work *work) {
    struct op *op = (struct op *)(void *)((char *)work - offsetof(struct op, cancel_work));
    atomic_store(&op->cancel_posted, false);
    bool is_meant = atomic_load(&op->cancel_sequence) == atomic_load(&op->sequence);
    if (is_meant && (op->state == OP_QUEUED || op->state == OP_WAITING || op->state == OP_PAUSING)) {
        op_complete(op, NNG_ECANCELED);
    }
    op_unshare(op);
}

/* The operation may have ended by the time the hub hears of it, and another one may have begun: it has another number. */
static void cancel_op(struct herald_call *call, enum herald_operation operation) {
    struct op *op = op_of(call);
    (void)operation;
    if (op == NULL) {
        return;
    }
    atomic_store(&op->cancel_sequence, atomic_load(&op->sequence));
    struct hub *hub = atomic_load(&op->hub);
    if (hub != NULL && !atomic_exchange(&op->cancel_posted, true)) {
        op_share(op);
        loop_post(hub->loop, &op->cancel_work);
    }
}

/* ---- calls ---- */

static bool make_op(struct herald_call *call) {
    struct op *op = op_new(call);
    if (op == NULL) {
        return false;
    }
    op->cancel_work.run = on_op_cancel;
    op->due = (struct due){.index = DUE_NONE, .fire = on_due};
    call->operations = op;
    return true;
}

static void unmake_op(struct herald_call *call) {
    struct op *op = op_of(call);
    if (op != NULL) {
        call->operations = NULL;
        op_unshare(op);
    }
}

static bool enter_native(struct herald_call *call) {
    (void)call;
    return true;
}

/* The attempt has ended, perhaps between its send and its receive. */
static void leave_op_locked(struct herald_call *call) {
    struct op *op = op_of(call);
    struct hub *hub = hub_current(calls_of_call(call));
    if (hub != NULL && hub == atomic_load(&op->hub) && (op->state == OP_SENT || op->state == OP_ANSWERED)) {
        abandon(op);
    }
}

/* ---- endpoints ---- */

static void turn_loops(const struct herald_engine *engine) {
    struct native_calls *calls = calls_of(engine);
    pthread_mutex_lock(&calls->turning);
    for (unsigned i = 0; i < calls->count; i++) {
        (void)loop_run_posted(calls->hubs[i].loop);
    }
    pthread_mutex_unlock(&calls->turning);
}

static void wait_a_moment(struct native_calls *calls) {
    const struct timespec moment = {.tv_nsec = LOOK_MS * 1000000};
    turn_loops(&calls->engine);
    (void)nanosleep(&moment, NULL);
}

static void on_lane_open(struct loop_work *work) {
    lane_use((struct lane *)(void *)((char *)work - offsetof(struct lane, open_work)));
}

static void on_lane_close(struct loop_work *work) {
    lane_close_for_good((struct lane *)(void *)((char *)work - offsetof(struct lane, close_work)));
}

/* "tcp4://" and "tcp6://" only matter while a name is looked up, which the client library does. NULL: no memory. */
static char *plain_url(const char *url) {
    static const char *const HEADS[] = {"tcp4://", "tcp6://"};
    for (size_t i = 0; i < sizeof(HEADS) / sizeof(HEADS[0]); i++) {
        if (strncmp(url, HEADS[i], strlen(HEADS[i])) == 0) {
            char *plain = NULL;
            return asprintf(&plain, "tcp://%s", url + strlen(HEADS[i])) < 0 ? NULL : plain;
        }
    }
    return strdup(url);
}

static enum herald_code open_native_endpoint(const struct herald_engine *engine, struct herald_endpoint *endpoint,
                                             const struct herald_tls *tls, uint32_t max_bytes,
                                             struct herald_error *reterr) {
    struct native_calls *calls = calls_of(engine);
    struct line *line = calloc(1, sizeof(*line) + calls->count * sizeof(line->lanes[0]));
    endpoint->line = line;
    if (line == NULL || (line->url = plain_url(endpoint->url)) == NULL) {
        return herald_error_no_memory(reterr, "%s", endpoint->url);
    }
    if (tls != NULL) {
        const struct herald_tls_options options = herald_tls_options_of(tls);
        enum herald_code code = secure_new(&options, endpoint->target->host, &line->secure, reterr);
        if (code != HERALD_OK) {
            return code;
        }
    }
    line->endpoint = endpoint;
    line->is_ipc = strncmp(line->url, "ipc://", 6) == 0;
    line->max_bytes = max_bytes;
    atomic_store(&line->open_lanes, calls->count);
    for (unsigned i = 0; i < calls->count; i++) {
        lane_init(&line->lanes[i], line, &calls->hubs[i]);
        line->lanes[i].open_work.run = on_lane_open;
        line->lanes[i].close_work.run = on_lane_close;
    }
    loop_post(calls->hubs[0].loop, &line->lanes[0].open_work);
    return HERALD_OK;
}

static enum herald_code check_native_tls(const struct herald_tls *tls, const char *host, struct herald_error *reterr) {
    const struct herald_tls_options options = herald_tls_options_of(tls);
    struct secure *secure = NULL;
    enum herald_code code = secure_new(&options, host, &secure, reterr);
    if (code == HERALD_OK) {
        secure_free(secure);
    }
    return code;
}

static bool close_native_endpoint(struct herald_endpoint *endpoint) {
    struct native_calls *calls = calls_of(endpoint->engine);
    struct line *line = endpoint->line;
    for (unsigned i = 0; i < calls->count; i++) {
        loop_post(calls->hubs[i].loop, &line->lanes[i].close_work);
    }
    turn_loops(&calls->engine);
    while (atomic_load(&line->open_lanes) > 0) {
        wait_a_moment(calls);
    }
    return true;
}

static void free_native_endpoint(struct herald_endpoint *endpoint) {
    struct line *line = endpoint->line;
    if (line != NULL) {
        secure_free(line->secure);
        free(line->url);
        free(line);
    }
}

/* ---- life ---- */

static const struct herald_engine functions = {
    .open = open_native_endpoint,
    .check_tls = check_native_tls,
    .close = close_native_endpoint,
    .free = free_native_endpoint,
    .make = make_op,
    .unmake = unmake_op,
    .enter_locked = enter_native,
    .enter = enter_native,
    .leave_locked = leave_op_locked,
    .make_request = make_op_request,
    .drop_request = drop_op_request,
    .send = post_op_send,
    .receive = post_op_receive,
    .prepare_pause = prepare_op_pause,
    .pause = post_op_pause,
    .result = op_result,
    .take = take_op_reply,
    .wait = wait_for_op,
    .cancel = cancel_op,
    .turn = turn_loops,
};

static bool is_spoken(const char *url) {
    static const char *const HEADS[] = {"tcp://", "tcp4://", "tcp6://", "tls+tcp://", "ipc://"};
    for (size_t i = 0; i < sizeof(HEADS) / sizeof(HEADS[0]); i++) {
        if (strncmp(url, HEADS[i], strlen(HEADS[i])) == 0) {
            return true;
        }
    }
    return false;
}

bool native_calls_can(const char *urls) {
    while (is_spoken(urls)) {
        const char *comma = strchr(urls, ',');
        if (comma == NULL) {
            return true;
        }
        urls = comma + 1;
    }
    return false;
}

static void on_calls_end(struct loop_work *work) {
    hub_close_for_good((struct hub *)(void *)((char *)work - offsetof(struct hub, end_work)));
}

enum herald_code native_calls_new(struct loop *const *loops, unsigned count, struct native_calls **ret_calls,
                                  struct herald_error *reterr) {
    struct native_calls *calls = calloc(1, sizeof(*calls) + count * sizeof(calls->hubs[0]));
    if (calls == NULL) {
        return herald_error_no_memory(reterr, "calls of servers");
    }
    calls->engine = functions;
    (void)pthread_mutex_init(&calls->turning, NULL);
    calls->count = count;
    for (unsigned i = 0; i < count; i++) {
        calls->hubs[i].calls = calls;
        calls->hubs[i].loop = loops[i];
        calls->hubs[i].end_work.run = on_calls_end;
    }
    *ret_calls = calls;
    return HERALD_OK;
}

static bool is_gone(const struct native_calls *calls) {
    for (unsigned i = 0; i < calls->count; i++) {
        if (!atomic_load(&calls->hubs[i].is_gone)) {
            return false;
        }
    }
    return true;
}

void native_calls_free(struct native_calls *calls) {
    if (calls == NULL) {
        return;
    }
    for (unsigned i = 0; i < calls->count; i++) {
        loop_post(calls->hubs[i].loop, &calls->hubs[i].end_work);
    }
    turn_loops(&calls->engine);
    while (!is_gone(calls)) {
        wait_a_moment(calls);
    }
    for (unsigned i = 0; i < calls->count; i++) {
        free(calls->hubs[i].heap);
    }
    (void)pthread_mutex_destroy(&calls->turning);
    free(calls);
}

const struct herald_engine *native_calls_engine(const struct native_calls *calls) {
    return &calls->engine;
}
