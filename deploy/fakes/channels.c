/* The behaviours of the fake channels: channels.h. */
#include "deploy/fakes/channels.h"

#include "client/base/random.h"

#include <pthread.h>
#include <stdlib.h>

#define SLOW_MS 5000
/* Of requests that publish nothing. */
#define LOOK_MS 20

#define USUAL_MS_ROW(name, usual_ms) [FAKE_##name] = (usual_ms),
static const uint32_t USUAL_MS[FAKE_CHANNEL_COUNT] = {FAKE_CHANNELS(USUAL_MS_ROW)};

/* A behaviour, if one is set. */
struct slot {
    bool set;
    struct fake_behaviour behaviour;
};

struct fake_channels {
    pthread_mutex_t lock;
    struct slot slots[FAKE_CHANNEL_COUNT][FAKE_STEP_COUNT + 1]; /* the last, FAKE_ANY_STEP, is always set */
};

static void behave_ok(struct slot *slot, enum fake_step step) {
    *slot = (struct slot){.set = step == FAKE_ANY_STEP, .behaviour = {.mode = FAKE_OK, .step = step}};
}

struct fake_channels *fake_channels_new(void) {
    struct fake_channels *channels = calloc(1, sizeof(*channels));
    if (channels == NULL) {
        return NULL;
    }
    pthread_mutex_init(&channels->lock, NULL);
    for (int i = 0; i < FAKE_CHANNEL_COUNT; i++) {
        behave_ok(&channels->slots[i][FAKE_ANY_STEP], FAKE_ANY_STEP);
    }
    return channels;
}

void fake_channels_free(struct fake_channels *channels) {
    if (channels == NULL) {
        return;
    }
    pthread_mutex_destroy(&channels->lock);
    free(channels);
}

void fake_channels_set(struct fake_channels *channels, enum fake_channel channel, struct fake_behaviour behaviour) {
    pthread_mutex_lock(&channels->lock);
    for (int i = 0; behaviour.step == FAKE_ANY_STEP && i < FAKE_STEP_COUNT; i++) {
        behave_ok(&channels->slots[channel][i], (enum fake_step)i);
    }
    channels->slots[channel][behaviour.step] = (struct slot){.set = true, .behaviour = behaviour};
    pthread_mutex_unlock(&channels->lock);
}

uint32_t fake_channels_usual_ms(enum fake_channel channel, enum fake_step step, enum fake_mode mode) {
    if (mode == FAKE_SLOW) {
        return SLOW_MS;
    }
    switch (step) {
    case FAKE_STEP_POST:
    case FAKE_STEP_MEDIA_PUBLISH:
    case FAKE_STEP_SEND:
    case FAKE_ANY_STEP:
        return USUAL_MS[channel];
    case FAKE_STEP_MEDIA:
        return USUAL_MS[channel] / 2;
    default:
        return LOOK_MS;
    }
}

/* 0..1, uniform. */
static double random_share(void) {
    return (double)(herald_random() >> 11) * 0x1p-53;
}

/* The behaviour of a request, before its time is known. */
static struct fake_behaviour take_channel_slot(struct slot *slot, enum fake_step step) {
    struct fake_behaviour taken = slot->behaviour, *now = &slot->behaviour;
    bool hit = fake_mode_fits(taken.mode, step) && (taken.share <= 0 || random_share() < taken.share);
    if (!hit) {
        taken.latency.kind = taken.mode == FAKE_SLOW ? FAKE_LATENCY_USUAL : taken.latency.kind;
        taken.mode = FAKE_OK;
    } else if (now->count > 0 && --now->count == 0) {
        behave_ok(slot, now->step);
    }
    return taken;
}

struct fake_taken fake_channels_take(struct fake_channels *channels, enum fake_channel channel, enum fake_step step) {
    struct fake_taken taken;
    pthread_mutex_lock(&channels->lock);
    struct slot *slots = channels->slots[channel];
    taken.behaviour = take_channel_slot(slots[step].set ? &slots[step] : &slots[FAKE_ANY_STEP], step);
    pthread_mutex_unlock(&channels->lock);
    taken.delay_ms = fake_latency_at(&taken.behaviour.latency, random_share(),
                                     fake_channels_usual_ms(channel, step, taken.behaviour.mode));
    return taken;
}

static json_t *show_slot(enum fake_channel channel, const struct fake_behaviour *behaviour) {
    return fake_behaviour_write(behaviour, fake_channels_usual_ms(channel, behaviour->step, behaviour->mode));
}

static json_t *show_channel(enum fake_channel channel, const struct slot *slots) {
    json_t *all = show_slot(channel, &slots[FAKE_ANY_STEP].behaviour), *steps = json_object();
    for (int i = 0; i < FAKE_STEP_COUNT; i++) {
        if (slots[i].set) {
            json_object_set_new(steps, fake_step_name((enum fake_step)i), show_slot(channel, &slots[i].behaviour));
        }
    }
    json_object_set_new(all, "steps", steps);
    return all;
}

json_t *fake_channels_show(struct fake_channels *channels) {
    json_t *all = json_object();
    pthread_mutex_lock(&channels->lock);
    for (int i = 0; i < FAKE_CHANNEL_COUNT; i++) {
        enum fake_channel channel = (enum fake_channel)i;
        json_object_set_new(all, fake_channel_name(channel), show_channel(channel, channels->slots[i]));
    }
    pthread_mutex_unlock(&channels->lock);
    return all;
}
