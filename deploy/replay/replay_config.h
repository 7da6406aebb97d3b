#ifndef HERALD_REPLAY_REPLAY_CONFIG_H
#define HERALD_REPLAY_REPLAY_CONFIG_H

/* `config` lines: the rules of the breaker under resilience4j's names. */
#include "deploy/replay/replay_line.h"
#include "server/breaker/breaker_core.h"

struct replay_config {
    struct breaker_rules rules; /* 0: not given */
    unsigned given;             /* bits of the keys that were given */
};

/** Takes the words KEY=VALUE after `config`. Returns: false: it was complained about */
bool replay_read_config(const struct replay_line *line, struct replay_config *config);

#endif
