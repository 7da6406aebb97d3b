#include "server/rpc/summary.h"

size_t rpc_summary_bytes(const char *doc) {
    size_t i = 0;
    while (doc && doc[i] && !(doc[i] == '.' && (doc[i + 1] == '\0' || doc[i + 1] == ' ' || doc[i + 1] == '\n'))) {
        i++;
    }
    return doc && doc[i] == '.' ? i + 1 : i;
}
