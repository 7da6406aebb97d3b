#ifndef HERALD_TESTS_UNIT_TRANSPORT_FAKE_NNG_H
#define HERALD_TESTS_UNIT_TRANSPORT_FAKE_NNG_H

/** Reads that were begun, and of those the ones that were ended by others. */
struct fake_nng_counts {
    unsigned begun, ended;
};

/** What a transport does: begins a read, which is refused. */
struct fake_nng_counts fake_nng_receive(void);
/** sysconf(), as the library gets it. */
long fake_nng_ask_system(int name);

#endif
