#ifndef HERALD_CONTENT_CONTENT_LOG_H
#define HERALD_CONTENT_CONTENT_LOG_H

#include "server/runtime/log.h"

#define CONTENT_LOG(X)                                                                                                 \
    X(LOG_CONTENT_LISTENING, LOG_INFO, "content.listening", "Pictures are served here.")                               \
    X(LOG_CONTENT_NO_FONT, LOG_ERROR, "content.no_font",                                                               \
      "No installed font has Hangul: every job fails until one is installed and the worker restarted.")                \
    X(LOG_CONTENT_KAFKA, LOG_INFO, "content.kafka", "Kafka serves.")                                                   \
    X(LOG_CONTENT_KAFKA_AWAY, LOG_WARNING, "content.kafka_away", "Kafka does not serve; no jobs come until it does.")  \
    X(LOG_CONTENT_STALLED, LOG_ERROR, "content.stalled",                                                               \
      "Kafka serves, but no jobs come; the consumer is opened anew.")                                                  \
    X(LOG_CONTENT_TAKEN, LOG_INFO, "content.taken", "Work on a job of the topic begins.")                              \
    X(LOG_CONTENT_COMPLETED, LOG_INFO, "content.completed", "The pictures of a job are there.")                        \
    X(LOG_CONTENT_FINISHED_BEFORE, LOG_INFO, "content.finished_before", "A job had ended before; nothing was done.")   \
    X(LOG_CONTENT_ATTEMPT_FAILED, LOG_WARNING, "content.attempt_failed",                                               \
      "An attempt at a job failed; another follows.")                                                                  \
    X(LOG_CONTENT_WAITS, LOG_WARNING, "content.waits",                                                                 \
      "A job waits for something that is not its own fault; the attempt is not counted.")                              \
    X(LOG_CONTENT_ATTEMPT_KEPT, LOG_WARNING, "content.attempt_kept",                                                   \
      "The job service did not hear that an attempt was given back; it stays counted.")                                \
    X(LOG_CONTENT_FAILED, LOG_ERROR, "content.failed", "A job was given up.")                                          \
    X(LOG_CONTENT_SHAPE_FAILED, LOG_ERROR, "content.shape_failed",                                                     \
      "A picture could not be brought into the shape of a channel; it is tried again when somebody asks.")             \
    X(LOG_CONTENT_DROPPED_CHARACTERS, LOG_WARNING, "content.dropped_characters",                                       \
      "Characters of a job's text were left out: no installed font has them.")                                         \
    X(LOG_CONTENT_JOB_AWAY, LOG_WARNING, "content.job_away", "The job service took no report; it is repeated.")        \
    X(LOG_CONTENT_DEAD_LETTER, LOG_ERROR, "content.dead_letter", "A record went to the dead-letter topic.")            \
    X(LOG_CONTENT_DEAD_LETTER_LATE, LOG_WARNING, "content.dead_letter_late",                                           \
      "A record could not be put on the dead-letter topic; it waits beside the jobs and is tried again.")              \
    X(LOG_CONTENT_PRUNED, LOG_INFO, "content.pruned", "Pictures that nobody has wanted for long were deleted.")        \
    X(LOG_CONTENT_NOT_PRUNED, LOG_WARNING, "content.not_pruned",                                                       \
      "Old pictures could not be deleted; the next round tries again.")                                                \
    X(LOG_CONTENT_ABANDONED, LOG_INFO, "content.abandoned", "A job was given back unfinished; it comes again.")
LOG_EVENTS_DECLARE(CONTENT_LOG)

#endif
