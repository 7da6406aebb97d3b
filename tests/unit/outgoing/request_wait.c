#include "request_wait.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

bool request_wait(int stop_fd, int fd) {
    struct pollfd fds[2] = {{.fd = stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
        continue;
    }
    return fds[0].revents == 0;
}

bool request_is_whole(const char *request, size_t bytes) {
    const char *end = strstr(request, "\r\n\r\n");
    const char *length = strcasestr(request, "\r\ncontent-length:");
    return end != NULL && bytes - (size_t)(end + 4 - request) >= (length != NULL ? strtoul(length + 17, NULL, 10) : 0);
}
