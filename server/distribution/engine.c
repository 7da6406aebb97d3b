#include "server/distribution/engine.h"

#include "server/distribution/look.h"
#include "server/distribution/round.h"
#include "server/distribution/writer.h"
#include "server/runtime/call.h"

#include <time.h>

#define DRAIN_POLL_NS 5000000
#define RELEASE_MS    1000

enum herald_code engine_start(struct engine *engine, struct herald_error *reterr) {
    watch_init(&engine->watch, &engine->process->watching);
    enum herald_code code = writer_start(engine, &engine->writer, reterr);
    return code == HERALD_OK ? look_start(engine, &engine->look, reterr) : code;
}

void engine_drain(struct engine_process *process, uint32_t wait_ms) {
    const struct timespec pause = {.tv_nsec = DRAIN_POLL_NS};
    uint64_t until_us = clock_now_us() + (uint64_t)wait_ms * 1000;
    atomic_store(&process->draining, true);
    while (atomic_load(&process->driving) + atomic_load(&process->unstored) > 0 && clock_now_us() < until_us) {
        (void)nanosleep(&pause, NULL);
    }
    for (size_t i = 0; i < ENGINE_LOOPS_MAX; i++) {
        instance_release(process->instances[i], RELEASE_MS);
    }
}

void engine_stop(struct engine *engine) {
    look_stop(engine->look);
    engine->look = NULL;
    rounds_cancel(engine);
    writer_stop(engine->writer);
}

struct channel_state *engine_channel(const struct engine *engine, const struct channel_row *row) {
    return engine->process->channels[channel_index(row)];
}
