/* How a statement can end: it is done, it was never done, or it is done and its answer is lost. */
#include "tests/simulation/sim.h"

TASK_FN enum sim_fate sim_reach(const struct db *db) {
    const struct sim_life *life = db->life;
    sim_wait_thaw(life);
    if (life->dead) {
        return SIM_REFUSED;
    }
    sim_wait_us(sim_between(50, sim_chance(5) ? 20000 : 400));
    if (life->dead) { /* it was sent, or was not */
        return sim_chance(50) ? SIM_LOST : SIM_REFUSED;
    }
    if (sim.database.down_until_us > sim.now_us) {
        return SIM_REFUSED;
    }
    return sim_chance(sim.database.loss_percent) ? SIM_LOST : SIM_DONE;
}

TASK_FN enum herald_code sim_answer(const struct db *db, enum sim_fate fate, bool writes, struct herald_error *reterr) {
    sim_wait_us(sim_between(50, 400));
    sim_wait_thaw(db->life);
    if (fate == SIM_LOST && writes) {
        return herald_error_set(reterr, HERALD_REASON_DATABASE_OUTCOME_UNKNOWN, "simulated: the answer was lost");
    }
    if (fate != SIM_DONE) {
        return herald_error_set(reterr, HERALD_REASON_DATABASE_UNAVAILABLE, "simulated: the database is away");
    }
    enum herald_code code = call_check(NULL);
    return code != HERALD_OK && writes
               ? herald_error_set(reterr, HERALD_REASON_DATABASE_OUTCOME_UNKNOWN, "simulated: the call has ended")
               : call_check(reterr);
}
