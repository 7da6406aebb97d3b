#ifndef HERALD_BENCH_PEERS_ECHO_SERVER_H
#define HERALD_BENCH_PEERS_ECHO_SERVER_H

/** Runs a Herald server of herald.bench.v1.EchoService at @url, with the settings that the environment names, until a
 *  signal. Returns: the exit status */
int echo_server_run(const char *url);

#endif
