/* Turning comma-separated lists. */
#include "server/store/postgres/hosts.h"

#include <stdio.h>
#include <string.h>

static unsigned parts_of(const char *list) {
    unsigned count = list[0] ? 1 : 0;
    for (const char *c = list; *c; c++) {
        count += *c == ',';
    }
    return count;
}

static void read_list(const PQconninfoOption *parsed, const char *keyword, char *ret_list) {
    ret_list[0] = '\0';
    for (const PQconninfoOption *option = parsed; option->keyword; option++) {
        if (strcmp(option->keyword, keyword) == 0 && option->val && strlen(option->val) < DB_HOSTS_BYTES) {
            (void)snprintf(ret_list, DB_HOSTS_BYTES, "%s", option->val);
        }
    }
    if (parts_of(ret_list) < 2) {
        ret_list[0] = '\0'; /* one for all hosts */
    }
}

void db_hosts_read(const PQconninfoOption *parsed, struct db_hosts *ret_hosts) {
    read_list(parsed, "host", ret_hosts->host);
    read_list(parsed, "hostaddr", ret_hosts->address);
    read_list(parsed, "port", ret_hosts->port);
    unsigned hosts = parts_of(ret_hosts->host), addresses = parts_of(ret_hosts->address);
    ret_hosts->count = hosts > addresses ? hosts : addresses;
    ret_hosts->count = ret_hosts->count > 0 ? ret_hosts->count : 1;
}

static void turn_list(const char *list, unsigned first, char *ret_list) {
    ret_list[0] = '\0';
    unsigned count = parts_of(list);
    if (count < 2) {
        return;
    }
    const char *at = list;
    for (unsigned i = 0; i < first % count; i++) {
        at = strchr(at, ',') + 1;
    }
    size_t rest = strlen(at), turned = (size_t)(at - list);
    memcpy(ret_list, at, rest + 1);
    if (turned > 0) { /* with the comma behind it, which goes before it */
        ret_list[rest] = ',';
        memcpy(ret_list + rest + 1, list, turned - 1);
        ret_list[rest + turned] = '\0';
    }
}

void db_hosts_turn(const struct db_hosts *hosts, unsigned first, char *host, char *address, char *port) {
    turn_list(hosts->host, first, host);
    turn_list(hosts->address, first, address);
    turn_list(hosts->port, first, port);
}
