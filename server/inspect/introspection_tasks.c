/*
 * ListTasks. Only a loop's own thread may read its tasks. So the handler posts a question to each loop, its own
 * included, and each answer is posted back to the handler's loop. All of struct gathering therefore belongs to one
 * thread. If the handler has to end before all answers have arrived, the last answer frees struct gathering.
 */
#include "herald/rpc/v1/introspection.server.h"
#include "server/inspect/introspection.h"
#include "server/rpc/loops.h"
#include "server/rpc/rpc_call.h"
#include "server/rpc/server.h"
#include "server/rpc/server_parts.h"
#include "server/runtime/task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TASKS_DEFAULT 100u

struct seen_task {
    const char *name, *waits_for; /* static */
    uint64_t since_us;
    char call_id[37];
};

/* One loop's question and answer. */
struct look {
    struct loop_work work; /* first */
    struct gathering *gathering;
    struct loop *loop;
    struct seen_task *seen; /* a heap of up to gathering->limit tasks; on top the task that has waited least */
    size_t count;
    unsigned tasks;
};

struct gathering {
    struct loop *home;
    struct completion complete;
    unsigned pending; /* answers to come */
    bool abandoned;   /* the handler has ended */
    size_t limit;
    unsigned look_count;
    struct look looks[];
};

static void free_gathering(struct gathering *gathering) {
    for (unsigned i = 0; i < gathering->look_count; i++) {
        free(gathering->looks[i].seen);
    }
    free(gathering);
}

/* ---- on the loop that is asked ---- */

static void swap(struct seen_task *a, struct seen_task *b) {
    struct seen_task kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_seen_up(struct seen_task *heap, size_t at) {
    for (; at > 0 && heap[(at - 1) / 2].since_us < heap[at].since_us; at = (at - 1) / 2) {
        swap(&heap[(at - 1) / 2], &heap[at]);
    }
}

static void sift_seen_down(struct seen_task *heap, size_t count) {
    for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1].since_us > heap[child].since_us) {
            child++;
        }
        if (heap[at].since_us >= heap[child].since_us) {
            return;
        }
        swap(&heap[at], &heap[child]);
    }
}

static void on_task(void *user, const struct task_info *info) {
    struct look *look = user;
    struct seen_task *seen = look->seen;
    bool full = look->count == look->gathering->limit;
    look->tasks++;
    if (full && info->since_us >= seen[0].since_us) {
        return;
    }
    struct seen_task *place = full ? &seen[0] : &seen[look->count++];
    *place = (struct seen_task){.name = info->name, .waits_for = info->waits_for, .since_us = info->since_us};
    if (info->call) {
        memcpy(place->call_id, info->call->id, sizeof(place->call_id));
    }
    if (full) {
        sift_seen_down(seen, look->count);
    } else {
        sift_seen_up(seen, look->count - 1);
    }
}

static void on_answer(struct loop_work *work);

static void on_question(struct loop_work *work) {
    struct look *look = (struct look *)work;
    loop_tasks_visit(look->loop, on_task, look);
    look->work.run = on_answer;
    loop_post(look->gathering->home, &look->work);
}

/* ---- on the handler's loop ---- */

static void on_answer(struct loop_work *work) {
    struct gathering *gathering = ((struct look *)work)->gathering;
    if (--gathering->pending > 0) {
        return;
    }
    if (gathering->abandoned) {
        free_gathering(gathering);
    } else {
        completion_complete(&gathering->complete);
    }
}

static struct gathering *new_gathering(const struct rpc_loops *loops, size_t limit) {
    struct gathering *gathering = calloc(1, sizeof(*gathering) + loops->count * sizeof(gathering->looks[0]));
    if (!gathering) {
        return NULL;
    }
    gathering->home = loop_current();
    gathering->limit = limit;
    gathering->look_count = loops->count;
    completion_init(&gathering->complete);
    gathering->complete.what = "the other loops' answers";
    for (unsigned i = 0; i < loops->count; i++) {
        struct look *look = &gathering->looks[i];
        *look = (struct look){.work.run = on_question, .gathering = gathering, .loop = loops->all[i].loop};
        look->seen = calloc(limit, sizeof(*look->seen));
        if (!look->seen) {
            free_gathering(gathering);
            return NULL;
        }
    }
    return gathering;
}

TASK_FN static enum herald_code gather(struct gathering *gathering, struct herald_error *reterr) {
    gathering->pending = gathering->look_count;
    for (unsigned i = 0; i < gathering->look_count; i++) {
        loop_post(gathering->looks[i].loop, &gathering->looks[i].work);
    }
    enum herald_code code = completion_wait(&gathering->complete, reterr);
    gathering->abandoned = code != HERALD_OK;
    return code;
}

static int by_since(const void *a, const void *b) {
    const struct seen_task *one = a, *other = b;
    return (one->since_us > other->since_us) - (one->since_us < other->since_us);
}

static Herald__Rpc__V1__TaskInfo *make_task(unsigned loop, const struct seen_task *seen, uint64_t now_us) {
    struct arena *arena = rpc_call_arena();
    Herald__Rpc__V1__TaskInfo *task = arena_alloc(arena, sizeof(*task));
    if (!task) {
        return NULL;
    }
    herald__rpc__v1__task_info__init(task);
    task->loop = loop;
    task->name = (char *)seen->name;
    task->waits_for = (char *)seen->waits_for;
    task->waiting_us = now_us > seen->since_us ? now_us - seen->since_us : 0;
    task->call_id = arena_strdup(arena, seen->call_id);
    return task->call_id ? task : NULL;
}

/* Merges the loops' sorted lists: takes the task that has waited longest, until the limit. */
static bool fill_tasks(struct gathering *gathering, Herald__Rpc__V1__ListTasksResponse *response) {
    size_t taken[64] = {0};
    uint64_t now_us = clock_now_us();
    while (response->n_tasks < gathering->limit) {
        const struct seen_task *longest = NULL;
        unsigned from = 0;
        for (unsigned i = 0; i < gathering->look_count; i++) {
            const struct look *look = &gathering->looks[i];
            if (taken[i] < look->count && (!longest || look->seen[taken[i]].since_us < longest->since_us)) {
                longest = &look->seen[taken[i]];
                from = i;
            }
        }
        if (!longest) {
            return true;
        }
        taken[from]++;
        response->tasks[response->n_tasks] = make_task(loop_index(gathering->looks[from].loop), longest, now_us);
        if (!response->tasks[response->n_tasks++]) {
            return false;
        }
    }
    return true;
}

static bool fill_loops(const struct rpc_loops *loops, const struct gathering *gathering,
                       Herald__Rpc__V1__ListTasksResponse *response) {
    for (unsigned i = 0; i < loops->count; i++) {
        Herald__Rpc__V1__LoopInfo *loop = arena_alloc(rpc_call_arena(), sizeof(*loop));
        if (!loop) {
            return false;
        }
        herald__rpc__v1__loop_info__init(loop);
        loop->index = loop_index(loops->all[i].loop);
        loop->tasks = gathering->looks[i].tasks;
        loop->calls = atomic_load_explicit(&loops->all[i].in_flight, memory_order_relaxed);
        response->loops[response->n_loops++] = loop;
    }
    return true;
}

static enum herald_code fill_task_list(const struct rpc_loops *loops, struct gathering *gathering,
                                       Herald__Rpc__V1__ListTasksResponse *response, struct herald_error *reterr) {
    size_t tasks = 0;
    for (unsigned i = 0; i < gathering->look_count; i++) {
        qsort(gathering->looks[i].seen, gathering->looks[i].count, sizeof(struct seen_task), by_since);
        tasks += gathering->looks[i].count;
    }
    response->loops = arena_calloc(rpc_call_arena(), loops->count, sizeof(*response->loops));
    response->tasks =
        arena_calloc(rpc_call_arena(), tasks < gathering->limit ? tasks : gathering->limit, sizeof(*response->tasks));
    bool filled =
        response->loops && response->tasks && fill_loops(loops, gathering, response) && fill_tasks(gathering, response);
    return filled ? HERALD_OK : arena_full(reterr, "the reply");
}

TASK_FN enum herald_code introspection_list_tasks(void *self, const Herald__Rpc__V1__ListTasksRequest *request,
                                                  Herald__Rpc__V1__ListTasksResponse *response,
                                                  struct herald_error *reterr) {
    const struct rpc_loops *loops = &rpc_server_parts(((struct introspection *)self)->server)->loops;
    struct gathering *gathering = new_gathering(loops, request->limit ? request->limit : TASKS_DEFAULT);
    if (!gathering) {
        return herald_error_no_memory(reterr, "a list of the tasks");
    }
    enum herald_code code = gather(gathering, reterr);
    if (code != HERALD_OK) {
        return code; /* the last answer frees it */
    }
    code = fill_task_list(loops, gathering, response, reterr);
    free_gathering(gathering);
    return code;
}
