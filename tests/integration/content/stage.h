#ifndef HERALD_TESTS_INTEGRATION_CONTENT_STAGE_H
#define HERALD_TESTS_INTEGRATION_CONTENT_STAGE_H

#include "server/content/worker.h"
#include "tests/unit/content/fake_jobs.h"

#include <librdkafka/rdkafka.h>
#include <pthread.h>

/* A content worker on real Kafka, with topics, group and folder of its own and a job service in this process. */
struct stage {
    struct fake_jobs jobs;
    struct settings settings;
    char folder[64];
    struct kafka_producer *dead_letters;
    struct loop *loop;
    pthread_t thread;
    struct worker *worker;
    struct content_health health;
    pthread_mutex_t health_lock;
    char dead_letters_why[512]; /* why the dead-letter topic takes none; empty: it does */
    rd_kafka_t *mock;           /* NULL: the real Kafka */
};

/** Prepares everything but the worker; the job service listens. Fails the test without HERALD_KAFKA_BOOTSTRAP. */
void stage_init(struct stage *stage);
void stage_fini(struct stage *stage);
/** Uses a cluster in this process instead, on which faults can be provoked. Before anything else. */
void stage_use_mock(struct stage *stage);
/** The dead-letter topic of that cluster does not exist, or exists again. */
void stage_lack_dead_letter_topic(struct stage *stage, bool lacks);
/** Waits up to 60 s until health says, or says no more, that the dead-letter topic takes no records. */
bool stage_wait_dead_letters(struct stage *stage, bool serving);
/** Starts a worker; one at a time. */
void stage_start_worker(struct stage *stage);
/** Waits up to 30 s until a worker, which has taken a record before, works on none. */
void stage_wait_idle(struct stage *stage);
/** Stops it as SIGTERM does. */
void stage_stop_worker(struct stage *stage);

/** Produces one record and waits for its acknowledgement. @type, @content_type  NULL: no such header. */
void stage_produce(struct stage *stage, const char *key, const char *type, const char *content_type, const char *value);
/** Waits up to 30 s until the worker has opened its consumer anew. */
void stage_wait_opened_anew(struct stage *stage);
/** Deletes the topic of jobs and makes it again, empty. The embedded broker cannot. */
void stage_make_topic_anew(struct stage *stage);
/** A valid job with that id, once more. */
void stage_produce_copy(struct stage *stage, const char *job_id);
/** A valid job with a new id. */
void stage_produce_job(struct stage *stage, char ret_job_id[37]);

struct dead_letter {
    char key[64], value[512], reason[512], id[64], type[64];
};
/** Reads the dead-letter topic from its beginning until @count records came or 30 s are over; returns how many. */
unsigned stage_read_dead_letters(struct stage *stage, struct dead_letter *letters, unsigned count);

#endif
