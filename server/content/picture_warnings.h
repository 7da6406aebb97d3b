#ifndef HERALD_CONTENT_PICTURE_WARNINGS_H
#define HERALD_CONTENT_PICTURE_WARNINGS_H

/* Sentences on what of a job's texts is not in its pictures. The strings are in the running call's arena. */

#include "server/content/render.h"

#include <stdbool.h>
#include <stddef.h>

/* Two for each text: characters that are missing, and an end that is missing. */
#define PICTURE_WARNINGS_MAX (2 * RENDER_INPUT_TEXTS)

/** Zeroed is empty. */
struct picture_warnings {
    char *list[PICTURE_WARNINGS_MAX];
    size_t count;
};

/** Adds those of one picture; what another picture of the job has told already is not added again. False: no memory. */
bool picture_warnings_add(struct picture_warnings *warnings, const struct render_layout *layout);

#endif
