#ifndef HERALD_TESTS_LOOPBACK_H
#define HERALD_TESTS_LOOPBACK_H

/*
 * Addresses for the programs under test. A port that was free a moment ago may be taken before its user binds it, by
 * another test or as the near end of anybody's connection; so each test process has a loopback address to itself, where
 * it hands out the ports.
 */

/** An address of 127.64.0.0/10, made of the process id of whoever asked first: the same in its children. */
const char *loopback_address(void);
/** A port of that address which was not handed out before: nobody listens on it. Context: one thread. */
unsigned loopback_port(void);
/** "SCHEME://address:port" of both. @scheme  at most 8 characters */
void loopback_url(const char *scheme, char ret_url[32]);

#endif
