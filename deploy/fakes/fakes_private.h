#ifndef HERALD_FAKES_FAKES_PRIVATE_H
#define HERALD_FAKES_FAKES_PRIVATE_H

/*
 * The parts of the fakes. Everything but the behaviours belongs to the one thread that serves: no function here locks,
 * and each runs on that thread.
 *
 * A request to a channel goes: route -> checks of the protocol -> fakes_call(), which takes a behaviour -> a wait ->
 * fakes_finish(), which lets the protocol do the request (its effect) and sends the answer as the behaviour says.
 */
#include "deploy/fakes/fakes.h"
#include "deploy/fakes/ledger.h"

#include <microhttpd.h>
#include <pthread.h>

/* Standard Webhooks: "payload < 20 kB". The other channels' bodies are let in up to the same size times four. */
#define POST_MAX_BYTES  20000
#define BODY_MAX_BYTES  80000
#define FAKES_KEY_BYTES 129

struct fakes_request;
struct fakes_scenario;
struct instagram;
struct kakao;

/** Does a request: calls fakes_accept(), fakes_refuse() or fakes_reply() once. */
typedef void fakes_effect(struct fakes_request *request);

/** How a kind of channel speaks. */
struct fakes_protocol {
    const char *id_member;                                 /* of an answer that accepts */
    json_t *(*error_body)(const struct fake_error *error); /* error->status is set */
    struct fake_error rejected;                            /* of FAKE_REJECT */
    struct fake_error wrong_clock, quiet_hours, token_expired, quota_full;
};

enum fakes_stage {
    FAKES_READING,
    FAKES_WAITING, /* suspended, see waiting.c */
    FAKES_DUE,     /* the wait is over: to be finished */
    FAKES_OVER,    /* the connection is to be closed without another byte */
};

/** An HTTP request. */
struct fakes_request {
    struct fakes *fakes;
    struct MHD_Connection *connection;
    int64_t received_ms;
    char *uri;  /* as it came, with the query */
    char *body; /* NUL-terminated; NULL: none */
    size_t body_bytes, body_room;
    bool begun, too_big, over_tls;
    enum fakes_stage stage;

    /* A call to a channel. */
    const struct fakes_protocol *protocol;
    enum fake_channel channel;
    enum fake_step step;
    fakes_effect *effect;
    struct fake_taken taken;
    char event_id[128];
    char key[FAKES_KEY_BYTES];
    char subject[FAKES_KEY_BYTES]; /* what the path names: an account, a container, a service */
    json_t *json;                  /* the body, of protocols that speak JSON */
    bool undecided;                /* the ledger was told that it begins */
    bool logged;                   /* accepted, as this line */
    uint64_t line;
    unsigned status; /* of the answer; 0: the effect has not been done */
    json_t *answer;  /* NULL: an empty body */

    /* A wait. */
    struct fakes_request *previous, *next;
    uint64_t due_us;
    size_t heap_at; /* 0: without a timer */
    int watched_fd; /* -1: the peer is not watched */
    char *drip;     /* NULL: no dripping body */
    size_t drip_at, drip_bytes;
};

/** Requests that wait. */
struct fakes_waiting {
    int epoll_fd; /* holds the descriptors of watched peers */
    struct fakes_request *first;
    struct fakes_request **heap; /* by due_us; from 1 on */
    size_t heap_count, heap_room;
    size_t count;
    bool woken; /* libmicrohttpd has a connection to resume, which its own time-out does not show */
};

struct fakes {
    struct MHD_Daemon *daemon, *tls_daemon;
    struct fake_channels *channels;
    struct fake_ledger *ledger;
    struct instagram *instagram;
    struct kakao *kakao;
    struct fakes_scenario *scenario; /* NULL: none */
    struct fakes_waiting waiting;
    struct fakes_secret secrets[FAKES_SECRETS_MAX];
    size_t secret_count;
    bool all_webhooks;
    bool chatty;
    int epoll_fd, stop_fd;
    bool has_thread;
    pthread_t thread;
    char url[320], tls_url[320];
};

/* answer.c */
/** Milliseconds since 1970-01-01 UTC. */
int64_t fakes_now_ms(void);
/** A header of the request; NULL: missing. */
const char *fakes_header(const struct fakes_request *request, const char *name);
/** Queues an answer of text. @text  from malloc(), owned here from now on; NULL: closes the connection */
enum MHD_Result fakes_answer_text(struct fakes_request *request, unsigned status, const char *content_type, char *text);
/** Queues an answer. @json  the reference is owned here from now on; NULL: an empty body */
enum MHD_Result fakes_answer(struct fakes_request *request, unsigned status, json_t *json);
/** Queues {"error": {"code": @code, "message": @message}}. */
enum MHD_Result fakes_answer_error(struct fakes_request *request, unsigned status, const char *code,
                                   const char *message);
/** Sends the answer of a finished call, as its behaviour says. */
enum MHD_Result fakes_send(struct fakes_request *request);
/** Writes the next byte of a dripping body; waits again or ends it. */
void fakes_drip(struct fakes_request *request);
/** Resets the connection: the peer sees ECONNRESET. */
enum MHD_Result fakes_reset(struct fakes_request *request);

/* call.c */
/** Takes a behaviour and does the request by it, at once or after a wait. The checks of the protocol come before. */
enum MHD_Result fakes_call(struct fakes_request *request, enum fake_channel channel, enum fake_step step,
                           const struct fakes_protocol *protocol, fakes_effect *effect);
/** Goes on with a call whose wait is over. */
enum MHD_Result fakes_finish(struct fakes_request *request);
/** Refuses a request before any behaviour is taken: it is malformed or badly signed. Noted in the ledger. */
enum MHD_Result fakes_turn_away(struct fakes_request *request, enum fake_channel channel,
                                const struct fakes_protocol *protocol, const struct fake_error *error);
/** Accepts a post: notes it, and answers with the id. @more  members of the log line; the reference is taken */
void fakes_accept(struct fakes_request *request, unsigned status, const char *remote_id, json_t *more, json_t *answer);
/** Refuses a post in its effect. */
void fakes_refuse(struct fakes_request *request, const struct fake_error *error);
/** Answers a look. @answer  the reference is taken */
void fakes_reply(struct fakes_request *request, unsigned status, json_t *answer);
/** Tells the ledger that a call can not be accepted any more, or has been. */
void fakes_settle(struct fakes_request *request);

/* waiting.c */
bool fakes_waiting_open(struct fakes_waiting *waiting);
void fakes_waiting_close(struct fakes_waiting *waiting);
/** Suspends a request for a time. @ms  UINT32_MAX: until the peer closes */
enum MHD_Result fakes_wait(struct fakes_request *request, uint32_t ms);
/** Sets the timer of a waiting request again. */
void fakes_wait_again(struct fakes_request *request, uint32_t ms);
/** Ends a wait. libmicrohttpd asks for the request again, in its new stage. */
void fakes_wake(struct fakes_request *request, enum fakes_stage stage);
/** Ends the waits that are over. Returns: milliseconds until the next one is; -1: there is none */
int fakes_waiting_run(struct fakes_waiting *waiting);
/** Ends the waits of all peers that are gone. */
void fakes_waiting_sweep(struct fakes_waiting *waiting);

/* control.c: routes for tests */
enum MHD_Result fakes_control(struct fakes_request *request, const char *method, const char *path);
/** Of /channels/{CHANNEL}/… and /behaviour/{CHANNEL}. */
enum MHD_Result fakes_set_behaviour(struct fakes_request *request, enum fake_channel channel);

/* webhook.c */
/** Answers POST /channels/{CHANNEL}/posts. */
enum MHD_Result webhook_route_post(struct fakes_request *request, enum fake_channel channel);
enum MHD_Result webhook_route_look_up(struct fakes_request *request, enum fake_channel channel, const char *key);

/* instagram.c, instagram_state.c: deploy/fakes/instagram.h */
/* kakao.c: deploy/fakes/kakao.h */

/* scenario.c */
/** Reads a scenario file. Returns: HERALD_OK | HERALD_INVALID_ARGUMENT (UNREADABLE, BAD_SETTINGS) */
enum herald_code fakes_scenario_read(const char *path, struct fakes_scenario **ret_scenario,
                                     struct herald_error *reterr);
void fakes_scenario_free(struct fakes_scenario *scenario);
/** Sets the behaviours that are due. Returns: milliseconds until the next one by time is; -1: there is none */
int fakes_scenario_run(struct fakes *fakes);
/** Lines of the scenario that have not come yet. */
size_t fakes_scenario_left(const struct fakes_scenario *scenario);

/* certificate.c */
/** Makes a key and a certificate for "wrong.invalid", in PEM; free() both. Returns: false: libcrypto failed */
bool fakes_certificate(char **ret_key, char **ret_certificate);

#endif
