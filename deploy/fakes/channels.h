#ifndef HERALD_FAKES_CHANNELS_H
#define HERALD_FAKES_CHANNELS_H

/*
 * The behaviours of the fake channels: one for all requests of a channel, and one for each of its steps that has its own.
 * Any thread may call all functions. Each holds the one lock briefly and never waits for anything else.
 */
#include "deploy/fakes/behaviour.h"

struct fake_channels;

/** Makes channels that all behave FAKE_OK. Returns: NULL: no memory */
struct fake_channels *fake_channels_new(void);
void fake_channels_free(struct fake_channels *channels);

/** Sets a behaviour. One for all steps (FAKE_ANY_STEP) takes the place of those of single steps too. */
void fake_channels_set(struct fake_channels *channels, enum fake_channel channel, struct fake_behaviour behaviour);

/** The behaviour of one request. */
struct fake_taken {
    struct fake_behaviour behaviour;
    uint32_t delay_ms; /* 0: at once */
};
/** The behaviour for one request, counted down by one. */
struct fake_taken fake_channels_take(struct fake_channels *channels, enum fake_channel channel, enum fake_step step);
/** All behaviours in force: {"INSTAGRAM": {"mode": …, "steps": {"media": {"mode": …}}}, …}. */
json_t *fake_channels_show(struct fake_channels *channels);
/** The time that a request usually takes. */
uint32_t fake_channels_usual_ms(enum fake_channel channel, enum fake_step step, enum fake_mode mode);

#endif
