#include "tests/unit/transport/leaving_server.h"

#include "herald/client.h"
#include "herald/job/v1/job.client.h"
#include "tests/unit/rpc/cmocka_headers.h"
#include "tests/unit/transport/stranger.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALLERS    8
#define FRAMES_MAX 8u

struct leaving_server {
    int fd;
    char url[64];
    pthread_t thread;
    atomic_uint visits; /* connections that it has taken */
    atomic_bool ending;
    struct herald_channel *channel;
    pthread_t callers[CALLERS];
};

static void answer_and_leave(int fd, unsigned visit) {
    static const uint8_t GREETING[STRANGER_GREETING_BYTES] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};
    uint8_t asked[256];
    stranger_send(fd, GREETING, sizeof(GREETING));
    if (recv(fd, asked, STRANGER_GREETING_BYTES, MSG_WAITALL) == STRANGER_GREETING_BYTES &&
        recv(fd, asked, sizeof(asked), 0) > 0) {
        for (unsigned i = 0; i < 1 + visit % FRAMES_MAX; i++) {
            stranger_send_frame(fd, "tcp", 40, 40);
        }
    }
    stranger_leave(fd, (enum stranger_leaving)(visit % STRANGER_LEAVINGS));
}

static void *take_and_leave(void *arg) {
    struct leaving_server *server = arg;
    struct pollfd wait = {.fd = server->fd, .events = POLLIN};
    while (atomic_load(&server->visits) < LEAVING_SERVER_VISITS && poll(&wait, 1, 10000) == 1) {
        answer_and_leave(accept(server->fd, NULL, NULL), atomic_fetch_add(&server->visits, 1));
    }
    return NULL;
}

static void *call_often(void *arg) {
    struct leaving_server *server = arg;
    const struct herald_call_options options = {.timeout_ms = 100};
    Herald__Job__V1__GetJobRequest request = HERALD__JOB__V1__GET_JOB_REQUEST__INIT;
    struct herald_reply reply;
    request.job_id = (char *)"0190b7a2-7c3e-7d4f-8a5b-6c7d8e9fa0b1";
    while (!atomic_load(&server->ending)) {
        (void)herald_call(server->channel, herald_job_v1_job_service_get_job_method, &request.base, &options, &reply);
        herald_reply_clear(&reply);
    }
    return NULL;
}

static void open_leaving_server(struct leaving_server *server) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    memset(server, 0, sizeof(*server));
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(server->fd, 16), 0);
    assert_int_equal(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    snprintf(server->url, sizeof(server->url), "tcp://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));
}

unsigned call_leaving_server(void) {
    struct leaving_server server;
    struct herald_error error;
    open_leaving_server(&server);
    assert_int_equal(herald_channel_open(server.url, NULL, &server.channel, &error), HERALD_OK);
    assert_int_equal(pthread_create(&server.thread, NULL, take_and_leave, &server), 0);
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_create(&server.callers[i], NULL, call_often, &server), 0);
    }
    assert_int_equal(pthread_join(server.thread, NULL), 0);
    atomic_store(&server.ending, true);
    for (int i = 0; i < CALLERS; i++) {
        assert_int_equal(pthread_join(server.callers[i], NULL), 0);
    }
    close(server.fd);
    herald_channel_close(server.channel);
    return atomic_load(&server.visits);
}
