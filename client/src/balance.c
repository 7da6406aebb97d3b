#include "client/src/balance.h"

#include "client/base/backoff.h"
#include "client/base/minimum.h"

void herald_outlier_succeeded(struct herald_outlier *outlier) {
    outlier->failures = 0;
    outlier->ejections = 0;
}

static int64_t ejection_ms(uint32_t ejections, uint64_t random) {
    uint64_t base = herald_backoff_bound_ms(HERALD_OUTLIER_MIN_MS, HERALD_OUTLIER_MAX_MS, ejections);
    return (int64_t)(base * 4 / 5 + random % (base * 2 / 5 + 1));
}

bool herald_outlier_failed(struct herald_outlier *outlier, size_t others, int64_t now_ms, uint64_t random) {
    if (now_ms < outlier->out_until_ms) { /* a call from before the ejection, or made because all are ejected */
        return false;
    }
    if (outlier->failures < HERALD_OUTLIER_FAILURES) {
        outlier->failures++;
    }
    if (outlier->failures < HERALD_OUTLIER_FAILURES || others == 0) {
        return false;
    }
    outlier->out_until_ms = now_ms + ejection_ms(outlier->ejections, random);
    outlier->ejections++;
    outlier->failures = HERALD_OUTLIER_FAILURES - 1; /* once it is back the first failure counts */
    return true;
}

/* Less is better. A connection comes before health: a sick server answers sooner than none. */
static unsigned rank(const struct herald_candidate *candidate) {
    return (candidate->avoid ? 8u : 0u) + (candidate->leaving ? 4u : 0u) + (candidate->connected ? 0u : 2u) +
           (candidate->out ? 1u : 0u);
}

void herald_outlier_turned_away(struct herald_outlier *outlier, int64_t now_ms, uint32_t ms) {
    int64_t until_ms = now_ms + herald_min_u32(ms, HERALD_OUTLIER_MAX_MS);
    if (until_ms > outlier->out_until_ms) {
        outlier->out_until_ms = until_ms;
    }
}

size_t herald_balance_choose(const struct herald_candidate *candidates, size_t count, uint32_t turn) {
    size_t first = turn % count, best = first;
    for (size_t i = 1; i < count; i++) {
        size_t at = (first + i) % count;
        unsigned a = rank(&candidates[at]), b = rank(&candidates[best]);
        if (a < b || (a == b && candidates[at].in_flight < candidates[best].in_flight)) {
            best = at;
        }
    }
    return best;
}
