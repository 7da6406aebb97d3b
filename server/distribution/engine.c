#include "server/distribution/engine.h"

#include "server/distribution/look.h"
#include "server/distribution/round.h"
#include "server/distribution/writer.h"

enum herald_code engine_start(struct engine *engine, struct herald_error *reterr) {
    watch_init(&engine->watch);
    enum herald_code code = writer_start(engine, &engine->writer, reterr);
    return code == HERALD_OK ? look_start(engine, &engine->look, reterr) : code;
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
