#include "tests/bench/server.h"

#include <stdio.h>

/*
 * The server of the measurements as a program, for what is measured in front of it: herald-gateway beside grpc-gateway
 * (tests/bench/peers/grpc-gateway/run). GetJob is answered at once.
 * Usage: bench_backend URL
 */
int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: bench_backend URL\n");
        return 64;
    }
    return bench_server_run(argv[1], &(struct bench_handler){.wait_ms = 0});
}
