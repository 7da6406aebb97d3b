#ifndef HERALD_TESTS_DELIVERIES_H
#define HERALD_TESTS_DELIVERIES_H

/* Deliveries of events that no event server knows, and a channel whose answers a test writes itself. */
#include "stack.h"

#include <pthread.h>

/** A content that every channel takes, as JSON. */
#define CONTENT                                                                                                        \
    "{\"title\":\"가을맞이 치킨 반값\",\"text\":\"이번 주말 치킨이 반값!\",\"storeInfo\":{\"name\":\"행복치킨\"},"     \
    "\"pngUrl\":\"https://cdn.example/1.png\",\"jpegUrl\":\"https://cdn.example/1.jpg\"}"
/** A request of Distribute: event, channels, more members or "". */
#define DISTRIBUTE "{\"eventId\":\"%s\",\"channels\":[%s],\"content\":" CONTENT "%s}"
/** A request about one event. */
#define OF_EVENT "{\"eventId\":\"%s\"}"

/** The id of an event that no other test uses. */
void fresh_event(char ret_id[37]);
/** Distributes a new event and asserts that the call is OK. @channels  "\"GENIE_TV\",\"RINGO_BIZ\"" */
struct answer distribute_new(struct stack *stack, const char *channels, char ret_id[37]);
/** The same by a call that has little time, for deliveries that are not over soon. */
struct answer distribute_briefly(struct stack *stack, const char *channels, char ret_id[37]);
/** Asserts that a delivery gets a state within a minute. */
void delivery_becomes(struct stack *stack, const char *event_id, const char *channel, const char *state);
/** Asserts how many posts a fake channel has accepted of an event; repeats that it recognised count too. */
void assert_posts(struct stack *stack, const char *event_id, const char *channel, size_t count);
/** Asserts that ListUnknownDeliveries lists a delivery, with its key, or that it does not. */
void assert_listed(struct stack *stack, const char *event_id, const char *channel, bool listed);
/** How many records of a type ("DistributionCompleted") there are of an event, once there are @least. */
size_t count_records(struct stack *stack, const char *event_id, const char *type, size_t least);
/** Makes the next try of a paused channel due, as if its time had passed. */
void make_probe_due(struct stack *stack, const char *channel);

/** A call in a thread of its own. */
struct caller {
    pthread_t thread;
    struct stack *stack;
    char id[37];
    const char *channels;
    struct answer answer;
    long long ended_ms;
};
/** Begins to distribute; a caller without an id gets a new one. */
void caller_start(struct caller *caller, struct stack *stack, const char *channels);
void caller_join(struct caller *caller);

/** A channel that answers each post with a text. */
struct scripted;
struct scripted *scripted_start(void);
void scripted_stop(struct scripted *scripted);
/** URL of its webhook. */
const char *scripted_url(const struct scripted *scripted);
/** What it answers from now on: a whole response. */
void scripted_answers(struct scripted *scripted, const char *response);
/** How many posts of an event it has read. */
size_t scripted_posts(struct scripted *scripted, const char *event_id);
/** An answer that accepts. */
#define SCRIPTED_OK "HTTP/1.1 200 OK\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"id\":\"post\"}"

#endif
