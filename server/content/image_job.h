#ifndef HERALD_CONTENT_IMAGE_JOB_H
#define HERALD_CONTENT_IMAGE_JOB_H

#include "herald/job/v1/image_job.pb-c.h"
#include "server/store/kafka/kafka.h"

/**
 * Reads a record of image-job-topic: JSON or protobuf, by its content-type (JSON when there is none).
 *
 * @ret_job  valid by the rules of its schema; in the running call's arena
 * Returns:  HERALD_OK
 *           | HERALD_INVALID_ARGUMENT (NO_VALUE, EVENT_TYPE, CONTENT_TYPE; or not valid as JSON, protobuf or ImageJob)
 *           | HERALD_RESOURCE_EXHAUSTED: too large for the memory of a call
 * On error: no worker can use this record; the message says why
 * Context:  a task with a call
 * Source:   proto/herald/job/v1/image_job.proto
 */
enum herald_code image_job_read(const struct kafka_record *record, const Herald__Job__V1__ImageJob **ret_job,
                                struct herald_error *reterr);

#endif
