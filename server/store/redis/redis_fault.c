/*
 * The table of error replies that make a Redis unhealthy. A fault lasts until all commands of the probe are answered
 * without one (redis_probe.h).
 */
#include "server/store/redis/redis_fault.h"

#include <stddef.h>
#include <string.h>

#define ACL_CURE "mend the user's ACL"

static const struct redis_fault FAULTS[] = {
    /* A fail-over made it a replica. The name, the proxy or the sentinels may lead to the primary by now. */
    {"READONLY", true, "it is a replica: the URL must lead to the primary"},
    {"MASTERDOWN", true, "it is a replica that has lost its primary"},
    /* The password was changed or the user dropped: the next connection tells. */
    {"NOAUTH", true, "set user and password in [redis] url"},
    {"WRONGPASS", true, "correct user and password in [redis] url"},
    {"ERR max number of clients", true, "raise its maxclients"},
    /* They pass by themselves, and a new connection would meet the same. */
    {"LOADING", false, "it reads its data; passes by itself"},
    {"BUSY", false, "a script blocks it; SCRIPT KILL ends that"},
    {"CLUSTERDOWN", false, "mend the cluster"},
    /* Somebody must act; a new connection would meet the same. */
    {"OOM", false, "raise its maxmemory, or let it evict (maxmemory-policy)"},
    {"MISCONF", false, "it cannot save to disk: make room, see its log"},
    {"NOREPLICAS", false, "bring its replicas back, or lower min-replicas-to-write"},
    {"MOVED", false, "it is a Redis Cluster, which Herald does not speak: use one primary, or Sentinel"},
    {"ASK", false, "it is a Redis Cluster, which Herald does not speak: use one primary, or Sentinel"},
    {"NOPERM", false, ACL_CURE},
    {"ERR The user executing the script can't", false, ACL_CURE}, /* until Redis 7.0 */
    {"ERR ACL failure in script", false, ACL_CURE},               /* later */
};

const struct redis_fault *redis_fault_find(const char *reply) {
    for (size_t i = 0; i < sizeof(FAULTS) / sizeof(FAULTS[0]); i++) {
        size_t length = strlen(FAULTS[i].reply);
        if (strncmp(reply, FAULTS[i].reply, length) == 0 && (reply[length] == ' ' || reply[length] == '\0')) {
            return &FAULTS[i];
        }
    }
    return NULL;
}
