/* In libnng's place: a library that calls functions of its own by their public names, as libnng's transports do. */
#include "tests/unit/transport/fake_nng.h"

#include <nng/nng.h>
#include <unistd.h>

static struct fake_nng_counts counts;

const char *nng_version(void) {
    return "1.5.2";
}

void nng_stream_recv(nng_stream *stream, nng_aio *aio) {
    (void)stream;
    (void)aio;
    counts.begun++;
}

void nng_stream_send(nng_stream *stream, nng_aio *aio) {
    nng_stream_recv(stream, aio);
}

int nng_aio_result(nng_aio *aio) {
    (void)aio;
    return NNG_ECANCELED;
}

void nng_aio_finish(nng_aio *aio, int result) {
    (void)aio;
    counts.ended += result == NNG_ECONNRESET;
}

struct fake_nng_counts fake_nng_receive(void) {
    counts = (struct fake_nng_counts){0, 0};
    nng_stream_recv(NULL, NULL);
    return counts;
}

long fake_nng_ask_system(int name) {
    return sysconf(name);
}
