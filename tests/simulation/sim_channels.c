/*
 * The channels, behind adapters that take the places of the real ones: what a channel answers is the seed's choice, and
 * what it has accepted is kept here, where no process can be wrong about it.
 */
#include "server/distribution/adapter.h"
#include "server/distribution/adapters/adapters.h"
#include "server/distribution/channel_state.h"
#include "tests/simulation/sim.h"

#include <stdio.h>
#include <string.h>

#define STATE(name) HERALD__DISTRIBUTION__V1__DELIVERY_STATE__##name

#define THROTTLE_MS   3000
#define HEARD_MS      50 /* until a process has heard of a throttle, and claims nothing more */
#define HANDED_URL    "https://blog.example/write"
#define CONTAINER_OLD 10 /* percent of containers that the channel no longer knows */

static struct sim_life *life_of(const struct adapter_delivery *view) {
    return view->db->life;
}

static struct sim_channel *channel_of(const struct adapter_delivery *view) {
    return &sim.channels[channel_index(view->row)];
}

struct sim_post *sim_post_of(const char *event_id, int channel) {
    return &sim.channels[channel_index(channel_find(channel))].posts[sim_event_index(event_id)];
}

static bool is_configured(const struct channel_setup *setup) {
    (void)setup;
    return true;
}

static enum herald_code no_preview(const struct adapter_delivery *delivery, struct preview *preview,
                                   struct herald_error *reterr) {
    (void)delivery, (void)preview, (void)reterr;
    return HERALD_OK;
}

/* ---- answers that every step knows ---- */

/* The answer of a channel that does not serve; UNSET: it serves. */
static struct channel_answer answer_in_trouble(struct sim_life *life, const struct adapter_delivery *view) {
    struct channel_answer answer = answer_plain(MEANS_UNSET, HERALD_REASON_NONE, "");
    size_t index = channel_index(view->row);
    switch (channel_of(view)->mode) {
    case SIM_REFUSES:
        return answer_plain(MEANS_RETRY, HERALD_REASON_CHANNEL_ERROR, "status 503");
    case SIM_THROTTLES:
        answer = answer_plain(MEANS_THROTTLE, HERALD_REASON_CHANNEL_THROTTLED, "status 429");
        answer.retry_at_us = sim_true_wall_us() + sim.wall_skew_us + THROTTLE_MS * 1000;
        life->quiet_from_us[index] = sim_true_wall_us() + HEARD_MS * 1000;
        return answer;
    case SIM_REAUTH:
        return answer_plain(MEANS_REAUTH, HERALD_REASON_CHANNEL_NEEDS_AUTH, "status 401");
    default:
        return answer;
    }
}

/* Waits for an answer that does not come. */
TASK_FN static struct channel_answer wait_in_vain(const struct adapter_delivery *view) {
    (void)task_sleep(view->setup->timeout_ms, NULL);
    sim_wait_thaw(life_of(view));
    return answer_plain(MEANS_UNKNOWN, HERALD_REASON_CHANNEL_LOST, "no answer came");
}

TASK_FN static void travel(const struct adapter_delivery *view) {
    bool slow = channel_of(view)->mode == SIM_SLOW;
    sim_wait_us(slow ? sim_between(100000, 3000000) : sim_between(500, 20000));
}

/* ---- the post ---- */

/* Each post needs a claim that is committed, of the process that sends it, and a place at the channel. */
static void check_send(const struct adapter_delivery *view) {
    struct sim_life *life = life_of(view);
    size_t index = channel_index(view->row);
    const struct sim_delivery *row = sim_delivery_of(sim_distribution_of(view->event_id), view->row->number);
    if (!row || row->state != STATE(COMMITTING)) {
        sim_fail("%s is sent to %s, and its row says %d", view->event_id, view->row->name, row ? row->state : -1);
    } else if (strcmp(row->holder, instance_id(life->instance)) != 0) {
        sim_fail("%s is sent to %s by %s without its claim", view->event_id, view->row->name,
                 instance_id(life->instance));
    }
    if (!instance_holds(life->instance, 0)) {
        sim_fail("%s is sent to %s without a lease", view->event_id, view->row->name);
    }
    if (life->in_flight[index] > view->setup->in_flight) {
        sim_fail("%u posts are on their way to %s, %u may be", life->in_flight[index], view->row->name,
                 view->setup->in_flight);
    }
    int64_t from_us = life->quiet_from_us[index];
    if (row && from_us != 0 && life->frozen_until_us == 0 && row->started_at_us > from_us &&
        row->started_at_us < from_us + (THROTTLE_MS - 2 * HEARD_MS) * 1000) {
        sim_fail("%s is sent to %s, which has asked for quiet", view->event_id, view->row->name);
    }
}

/* A channel that can be asked knows a repeat by its key. It may need to: the first post can still be on its way when a
 * look-up does not find it. */
static void accept_post(const struct adapter_delivery *view, struct sim_post *post) {
    if (post->accepted > 0 && view->row->can.look_up && view->row->can.idempotency) {
        sim_say("%s knows %s already", view->row->name, view->event_id);
        return;
    }
    post->accepted++;
    post->accepted_us = sim.now_us;
    sim_say("%s accepts %s (%u)", view->row->name, view->event_id, post->accepted);
    if (post->accepted > 1) {
        sim_fail("%s has accepted %s twice", view->row->name, view->event_id);
    }
}

static struct channel_answer accepted(const struct adapter_delivery *view) {
    struct channel_answer answer = answer_plain(MEANS_ACCEPTED, HERALD_REASON_NONE, "");
    answer.remote_id = arena_strdup(call_arena(), view->key);
    answer.remote_id = answer.remote_id ? answer.remote_id : "";
    return answer;
}

/* The post arrives. Its sender may have died meanwhile. */
TASK_FN static struct channel_answer post_arrives(const struct adapter_delivery *view, struct sim_post *post) {
    struct sim_channel *channel = channel_of(view);
    struct channel_answer answer = answer_in_trouble(life_of(view), view);
    if (answer.meaning != MEANS_UNSET) {
        return answer;
    }
    if (channel->rejects[sim_event_index(view->event_id)]) {
        post->refused_for_good = true;
        return answer_plain(MEANS_REJECT, HERALD_REASON_CHANNEL_REJECTED, "status 422");
    }
    if (channel->mode == SIM_LOSES_REQUEST) {
        post->lost = true;
        return wait_in_vain(view);
    }
    accept_post(view, post);
    if (channel->mode == SIM_LOSES_ANSWER) {
        post->lost = true;
        return wait_in_vain(view);
    }
    answer = accepted(view);
    travel(view);
    sim_wait_thaw(life_of(view));
    return answer;
}

TASK_FN static struct channel_answer commit(const struct adapter_delivery *view) {
    struct sim_life *life = life_of(view);
    struct sim_channel *channel = channel_of(view);
    struct sim_post *post = sim_post_of(view->event_id, view->row->number);
    size_t index = channel_index(view->row);
    if (life->dead) {
        return answer_plain(MEANS_UNKNOWN, HERALD_REASON_CHANNEL_LOST, "");
    }
    if (channel->mode == SIM_UNREACHABLE) {
        return answer_plain(MEANS_RETRY, HERALD_REASON_CHANNEL_UNREACHABLE, "nobody listens");
    }
    if (view->row->adapter->prepare) {
        char name[16];
        snprintf(name, sizeof(name), "c-%u", post->container);
        if (strcmp(view->step_id, name) != 0 || sim_chance(CONTAINER_OLD)) {
            return answer_plain(MEANS_RENEW, HERALD_REASON_CHANNEL_ERROR, "the container is not known");
        }
    }
    life->in_flight[index]++;
    bool was_on_its_way = post->missed_us != 0 && post->missed_us < post->accepted_us;
    if (post->accepted > 0 && !was_on_its_way) {
        sim_fail("%s is sent to %s, which has it", view->event_id, view->row->name);
    }
    check_send(view);
    travel(view);
    struct channel_answer answer;
    if (life->dead && sim_chance(50)) { /* it did not get so far */
        post->lost = true;
        answer = answer_plain(MEANS_UNKNOWN, HERALD_REASON_CHANNEL_LOST, "");
    } else {
        answer = post_arrives(view, post);
    }
    post->lost |= life->dead;
    life->in_flight[index]--;
    return answer;
}

/* ---- the other steps ---- */

TASK_FN static struct channel_answer prepare(const struct adapter_delivery *view) {
    struct sim_life *life = life_of(view);
    struct sim_post *post = sim_post_of(view->event_id, view->row->number);
    if (channel_of(view)->mode == SIM_UNREACHABLE) {
        return answer_plain(MEANS_RETRY, HERALD_REASON_CHANNEL_UNREACHABLE, "nobody listens");
    }
    travel(view);
    sim_wait_thaw(life);
    struct channel_answer answer = answer_in_trouble(life, view);
    if (answer.meaning != MEANS_UNSET) {
        return answer;
    }
    if (channel_of(view)->mode == SIM_LOSES_REQUEST || channel_of(view)->mode == SIM_LOSES_ANSWER) {
        (void)wait_in_vain(view);
        return answer_plain(MEANS_RETRY, HERALD_REASON_CHANNEL_LOST, "no answer came; nothing was published");
    }
    char name[16];
    bool made = view->step_id[0] != '\0';
    if (!made && !life->dead) {
        post->container++;
    }
    snprintf(name, sizeof(name), "c-%u", post->container);
    bool is_ready = sim_chance(made ? 70 : 50);
    answer = answer_plain(is_ready ? MEANS_PREPARED : MEANS_NOT_YET, HERALD_REASON_CHANNEL_WORKING, "");
    answer.step_id = arena_strdup(call_arena(), made ? view->step_id : name);
    answer.step_id = answer.step_id ? answer.step_id : "";
    return answer;
}

TASK_FN static struct channel_answer look_up(const struct adapter_delivery *view) {
    struct sim_life *life = life_of(view);
    struct sim_post *post = sim_post_of(view->event_id, view->row->number);
    if (channel_of(view)->mode == SIM_UNREACHABLE) {
        return answer_plain(MEANS_RETRY, HERALD_REASON_CHANNEL_UNREACHABLE, "nobody listens");
    }
    travel(view);
    struct channel_answer answer = answer_in_trouble(life, view);
    bool is_there = post->accepted > 0;
    uint64_t looked_us = sim.now_us;
    if (answer.meaning == MEANS_UNSET && (channel_of(view)->mode == SIM_LOSES_REQUEST || sim_chance(5))) {
        return wait_in_vain(view);
    }
    sim_wait_thaw(life);
    if (answer.meaning != MEANS_UNSET) {
        return answer;
    }
    if (!is_there) {
        post->missed_us = looked_us;
    }
    return is_there ? accepted(view) : answer_plain(MEANS_NOT_THERE, HERALD_REASON_NONE, "it has no such post");
}

/* A person posts there: nothing is sent. */
static struct channel_answer hand_over(const struct adapter_delivery *view) {
    (void)view;
    struct channel_answer answer = answer_plain(MEANS_HANDED, HERALD_REASON_NONE, "");
    answer.post_url = HANDED_URL;
    return answer;
}

const struct adapter webhook_adapter = {
    .name = "webhook", .is_configured = is_configured, .preview = no_preview, .commit = commit};
const struct adapter instagram_adapter = {.name = "instagram",
                                          .is_configured = is_configured,
                                          .preview = no_preview,
                                          .prepare = prepare,
                                          .commit = commit,
                                          .look_up = look_up};
const struct adapter kakao_adapter = {
    .name = "kakao", .is_configured = is_configured, .preview = no_preview, .commit = commit, .look_up = look_up};
const struct adapter naver_adapter = {
    .name = "naver", .is_configured = is_configured, .preview = no_preview, .commit = hand_over};
