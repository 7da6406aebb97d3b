#ifndef HERALD_CLIENT_CALL_STATE_H
#define HERALD_CLIENT_CALL_STATE_H

/*
 * A call is a state machine. Only the thread that drives the call reads and changes its state. That is the caller's
 * thread until an operation is posted, then the thread of each completion in turn.
 *
 *   FREE → BEGINNING → ATTEMPTING → SENDING → WAITING → JUDGING → ENDED → FREE
 *
 * In BEGINNING, ATTEMPTING and JUDGING the thread works. In HELD, SEEKING, SENDING, WAITING and BACKING_OFF an
 * operation of the engine is posted, and its completion drives the call on. The receive is posted after the send has
 * completed: posted earlier, it crashes nng 1.5 when it times out. It is posted at once then, because nng drops a
 * reply without a posted receive when its connection closes.
 */

enum call_state {
    CALL_NOWHERE,     /* no state: the table's entry for an event that cannot come */
    CALL_FREE,        /* in the pool */
    CALL_BEGINNING,   /* works: the next attempt is to begin */
    CALL_HELD,        /* sleeps between attempts until a server is ready, because the connected ones drain */
    CALL_ATTEMPTING,  /* works: the attempt has begun and needs an endpoint and a message */
    CALL_SEEKING,     /* sleeps in an attempt: there is no endpoint yet */
    CALL_SENDING,     /* the attempt's message is posted */
    CALL_WAITING,     /* the receive of its reply is posted */
    CALL_JUDGING,     /* works: the attempt has ended, and its result is in the reply */
    CALL_BACKING_OFF, /* sleeps between attempts, for a time */
    CALL_ENDED,       /* the reply is whole */
    CALL_STATES
};

enum call_event {
    CALL_POSTED,    /* no event: an operation was posted, and another thread may have the call by now */
    CALL_TAKE,      /* a caller takes the call out of the pool */
    CALL_HOLD,      /* the next attempt must wait for a server that is ready */
    CALL_BACK_OFF,  /* the next attempt must wait for a time */
    CALL_ATTEMPT,   /* an attempt begins */
    CALL_SEEK,      /* there is no endpoint for the attempt */
    CALL_SEND,      /* the attempt's message is made */
    CALL_SENT,      /* a connection has taken the message */
    CALL_GO_ON,     /* the wait is over: the call tries again */
    CALL_FINISH,    /* the attempt has its result */
    CALL_END,       /* the call has its result */
    CALL_GIVE_BACK, /* the call returns to the pool */
    CALL_EVENTS
};

/* One row for each transition: state, event, next state. All others are bugs. */
#define CALL_TRANSITIONS(X)                                                                                            \
    X(FREE, TAKE, BEGINNING)                                                                                           \
    X(BEGINNING, ATTEMPT, ATTEMPTING)                                                                                  \
    X(BEGINNING, HOLD, HELD)                                                                                           \
    X(BEGINNING, END, ENDED)      /* refused by an interceptor, or cancelled */                                        \
    X(BEGINNING, GIVE_BACK, FREE) /* the request cannot be packed */                                                   \
    X(HELD, GO_ON, BEGINNING)                                                                                          \
    X(HELD, HOLD, HELD)                                                                                                \
    X(HELD, END, ENDED)                                                                                                \
    X(ATTEMPTING, SEND, SENDING)                                                                                       \
    X(ATTEMPTING, SEEK, SEEKING)                                                                                       \
    X(ATTEMPTING, FINISH, JUDGING)                                                                                     \
    X(SEEKING, GO_ON, ATTEMPTING)                                                                                      \
    X(SEEKING, FINISH, JUDGING)                                                                                        \
    X(SENDING, SENT, WAITING)                                                                                          \
    X(SENDING, GO_ON, ATTEMPTING) /* nobody has taken it for a while: look again, or elsewhere */                      \
    X(SENDING, FINISH, JUDGING)                                                                                        \
    X(WAITING, FINISH, JUDGING)                                                                                        \
    X(JUDGING, GO_ON, BEGINNING)                                                                                       \
    X(JUDGING, BACK_OFF, BACKING_OFF)                                                                                  \
    X(JUDGING, HOLD, HELD)                                                                                             \
    X(JUDGING, END, ENDED)                                                                                             \
    X(BACKING_OFF, GO_ON, BEGINNING)                                                                                   \
    X(BACKING_OFF, END, ENDED)                                                                                         \
    X(ENDED, GIVE_BACK, FREE)

/* Whether the caller, on any thread, has cancelled a call. The call sees it at its next completion or post. */
enum call_stop {
    CALL_NOT_STOPPED,
    CALL_CANCELLED,
    CALL_LATE, /* cancelled because the deadline of the call's purpose is over */
};

/** Returns:  the state after @event | CALL_NOWHERE: @event cannot come in @state */
enum call_state herald_call_state_next(enum call_state state, enum call_event event);
/** Moves a state on; asserts that the table has the transition. */
void herald_call_state_enter(enum call_state *state, enum call_event event);

#endif
