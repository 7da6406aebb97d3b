#include "deploy/fakes/latency.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_latency_ms(const json_t *json, uint32_t *ret_ms) {
    if (!json_is_integer(json) || json_integer_value(json) < 0 || json_integer_value(json) > FAKE_LATENCY_MAX_MS) {
        return false;
    }
    *ret_ms = (uint32_t)json_integer_value(json);
    return true;
}

/* Reads one "99": 400. Points come in rising order of both. */
static bool read_percentile(struct fake_latency *latency, const char *name, const json_t *value) {
    char *end;
    unsigned at = latency->point_count;
    double percent = strtod(name, &end);
    uint32_t ms;
    if (at == FAKE_LATENCY_POINTS || *end != '\0' || end == name || !(percent > 0 && percent <= 100) ||
        !is_latency_ms(value, &ms)) {
        return false;
    }
    if (at > 0 && (percent <= latency->points[at - 1].percent || ms < latency->points[at - 1].ms)) {
        return false;
    }
    latency->points[at].percent = percent;
    latency->points[at].ms = ms;
    latency->point_count++;
    return true;
}

static const char *read_percentiles(json_t *json, struct fake_latency *latency) {
    const char *name;
    json_t *value;
    latency->kind = FAKE_LATENCY_PERCENTILES;
    json_object_foreach(json, name, value) {
        if (!read_percentile(latency, name, value)) {
            return "latency.percentiles must be 1 to 8 rising percents with rising times, {\"50\": 20, \"99\": 400}";
        }
    }
    return latency->point_count > 0 ? NULL : "latency.percentiles must have a percent";
}

const char *fake_latency_read(const json_t *json, struct fake_latency *ret_latency) {
    struct fake_latency latency = {0};
    const char *wrong = NULL;
    size_t members = json_object_size(json);
    if (members == 1 && is_latency_ms(json_object_get(json, "ms"), &latency.low_ms)) {
        latency.kind = FAKE_LATENCY_FIXED;
    } else if (members == 1 && is_latency_ms(json_object_get(json, "meanMs"), &latency.low_ms)) {
        latency.kind = FAKE_LATENCY_EXPONENTIAL;
    } else if (members == 2 && is_latency_ms(json_object_get(json, "minMs"), &latency.low_ms) &&
               is_latency_ms(json_object_get(json, "maxMs"), &latency.high_ms) && latency.low_ms <= latency.high_ms) {
        latency.kind = FAKE_LATENCY_UNIFORM;
    } else if (members == 1 && json_is_object(json_object_get(json, "percentiles"))) {
        wrong = read_percentiles(json_object_get(json, "percentiles"), &latency);
    } else {
        wrong = "latency must be {\"ms\": n}, {\"minMs\": n, \"maxMs\": n}, {\"meanMs\": n} or {\"percentiles\": {…}}, "
                "in whole milliseconds from 0 to 600000";
    }
    if (wrong == NULL) {
        *ret_latency = latency;
    }
    return wrong;
}

static json_t *write_percentiles(const struct fake_latency *latency) {
    char name[32];
    json_t *points = json_object();
    for (unsigned i = 0; i < latency->point_count; i++) {
        snprintf(name, sizeof(name), "%g", latency->points[i].percent);
        json_object_set_new(points, name, json_integer(latency->points[i].ms));
    }
    return json_pack("{s:o}", "percentiles", points);
}

json_t *fake_latency_write(const struct fake_latency *latency) {
    switch (latency->kind) {
    case FAKE_LATENCY_FIXED:
        return json_pack("{s:I}", "ms", (json_int_t)latency->low_ms);
    case FAKE_LATENCY_UNIFORM:
        return json_pack("{s:I, s:I}", "minMs", (json_int_t)latency->low_ms, "maxMs", (json_int_t)latency->high_ms);
    case FAKE_LATENCY_EXPONENTIAL:
        return json_pack("{s:I}", "meanMs", (json_int_t)latency->low_ms);
    case FAKE_LATENCY_PERCENTILES:
        return write_percentiles(latency);
    default:
        return NULL;
    }
}

static uint32_t percentile_at(const struct fake_latency *latency, double percent) {
    double below_percent = 0, below_ms = 0;
    for (unsigned i = 0; i < latency->point_count; i++) {
        double above_percent = latency->points[i].percent, above_ms = latency->points[i].ms;
        if (percent <= above_percent) {
            double part = (percent - below_percent) / (above_percent - below_percent);
            return (uint32_t)(below_ms + part * (above_ms - below_ms));
        }
        below_percent = above_percent;
        below_ms = above_ms;
    }
    return (uint32_t)below_ms;
}

uint32_t fake_latency_at(const struct fake_latency *latency, double share, uint32_t usual_ms) {
    switch (latency->kind) {
    case FAKE_LATENCY_FIXED:
        return latency->low_ms;
    case FAKE_LATENCY_UNIFORM:
        return latency->low_ms + (uint32_t)(share * (latency->high_ms - latency->low_ms + 1.0));
    case FAKE_LATENCY_EXPONENTIAL:
        return (uint32_t)fmin(-log1p(-share) * latency->low_ms, FAKE_LATENCY_MAX_MS);
    case FAKE_LATENCY_PERCENTILES:
        return percentile_at(latency, share * 100);
    default:
        return usual_ms;
    }
}
