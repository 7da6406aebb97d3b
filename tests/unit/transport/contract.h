#ifndef HERALD_TESTS_UNIT_TRANSPORT_CONTRACT_H
#define HERALD_TESTS_UNIT_TRANSPORT_CONTRACT_H

#include <stddef.h>

/*
 * Looks at every call of nng that this program makes (the linker's --wrap) and notes what breaks the rules of using it:
 *
 *   - RECVMAXSZ is set before a socket's first endpoint
 *   - on a REQ socket, re-sending is off before the first context, dialer or send
 *   - a REQ socket has one dialer
 *   - on a REQ context, the receive is posted when the send has completed: not before, and at once
 *   - callbacks of nng neither close nor free nor wait for anything of nng, nor dial or send in a blocking way
 */

/** Forgets what was noted. */
void contract_reset(void);
/** How often the rules were broken; each time is printed. */
unsigned contract_violations(void);

/** What was seen, so that a test knows that it has looked at something. */
struct contract_seen {
    unsigned req_sockets, rep_sockets, dialers, listeners, contexts, sends, receives, callbacks;
};
struct contract_seen contract_seen(void);

#endif
