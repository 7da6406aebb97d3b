#ifndef HERALD_FAKES_FAKES_PRIVATE_H
#define HERALD_FAKES_FAKES_PRIVATE_H

#include "deploy/fakes/fakes.h"

#include <microhttpd.h>
#include <pthread.h>

/* Standard Webhooks: "payload < 20 kB". */
#define POST_MAX_BYTES 20000

struct fakes {
    struct MHD_Daemon *daemon;
    struct fake_channels *channels;
    struct webhook_secret secret;
    bool signed_only;
    bool chatty;
    pthread_mutex_t lock; /* guards stopping */
    pthread_cond_t stop;
    bool stopping;
    char url[320];
};

/** An HTTP request that is being read. */
struct fakes_request {
    struct MHD_Connection *connection;
    int64_t received_ms;
    char body[POST_MAX_BYTES + 1];
    size_t body_bytes;
    bool too_big;
};

/* answer.c */
/** Milliseconds since 1970-01-01 UTC. */
int64_t fakes_now_ms(void);
/** Waits, at most until the fakes stop. Returns: false: they stop */
bool fakes_wait(struct fakes *fakes, uint32_t ms);
/** Queues an answer of JSON text. @text  from malloc(), owned here from now on; NULL: answers 500 */
enum MHD_Result fakes_answer_text(struct fakes_request *request, unsigned status, const char *content_type, char *text,
                                  uint32_t retry_after_s);
/** Queues an answer. @json  the reference is owned here from now on */
enum MHD_Result fakes_answer(struct fakes_request *request, unsigned status, json_t *json, uint32_t retry_after_s);
/** Queues {"error": @message}. */
enum MHD_Result fakes_answer_error(struct fakes_request *request, unsigned status, const char *message);

/* post.c */
/** Answers POST /channels/{CHANNEL}/posts after the time that the channel's behaviour sets. */
enum MHD_Result fakes_post(struct fakes *fakes, struct fakes_request *request, enum fake_channel channel);

#endif
