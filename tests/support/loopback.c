#include "tests/support/loopback.h"

#include <stdio.h>
#include <unistd.h>

const char *loopback_address(void) {
    static char address[16];
    if (!address[0]) {
        unsigned id = (unsigned)getpid(); /* less than 2^22: PID_MAX_LIMIT of Linux */
        snprintf(address, sizeof(address), "127.%u.%u.%u", 64 + (id >> 16 & 63), id >> 8 & 255, id & 255);
    }
    return address;
}

unsigned loopback_port(void) {
    static unsigned next = 20000;
    return next++;
}

void loopback_url(const char *scheme, char ret_url[32]) {
    snprintf(ret_url, 32, "%.8s://%s:%u", scheme, loopback_address(), loopback_port() % 65536);
}
