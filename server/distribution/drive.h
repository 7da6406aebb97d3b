#ifndef HERALD_DISTRIBUTION_DRIVE_H
#define HERALD_DISTRIBUTION_DRIVE_H

/* Drives one claimed delivery through its next steps, and hands the result to the writer. */
#include "server/distribution/round.h"

#define DRIVE_LEASE_MS      500  /* left of the process's lease when a delivery is claimed, and when a post is sent */
#define DRIVE_LEASE_WAIT_MS 2000 /* longest wait for a renewal that is late */

/**
 * Takes the delivery's next steps: look up; or prepare and commit; or commit. Each step's result is stored before the
 * next one; the last one is handed to the writer, which stores it after this function has returned. The permit is given
 * back.
 *
 * Context: a task of the delivery's call
 */
TASK_FN void drive(struct delivery *delivery);
/** Gives a claimed delivery back without a step: nothing was sent. The permit is given back. The loop's thread. */
void drive_give_back(struct delivery *delivery, uint32_t next_in_ms);
/** The key of a post, 36 characters and a NUL: "evt_" and 128 bits of SHA-256 of "event_id/CHANNEL". */
void delivery_key(const char *event_id, const struct channel_row *row, char ret_key[37]);

#endif
