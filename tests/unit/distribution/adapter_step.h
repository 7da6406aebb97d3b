#ifndef HERALD_TESTS_DISTRIBUTION_ADAPTER_STEP_H
#define HERALD_TESTS_DISTRIBUTION_ADAPTER_STEP_H

/* Runs one step of an adapter in a task, with an HTTP client of its own. */
#include "server/distribution/adapter.h"

#include <stdbool.h>

enum step_kind { STEP_OF_COMMIT, STEP_OF_LOOK_UP };

/** An answer whose strings outlive the task. */
struct step_answer {
    enum meaning meaning;
    enum herald_reason reason;
    char message[1024], remote_id[512], step_id[512], post_url[512];
    int64_t retry_at_us;
};

/** Takes the step with an arena of 256 KiB. */
struct step_answer step_run(enum step_kind kind, struct adapter_delivery delivery);

/** A preview whose parts outlive the task, as one text each; free with step_preview_fini(). */
struct step_preview {
    enum herald_code code;
    char *url, *headers, *body, *caption, *html, *pictures, *problems; /* "" for none; lists joined by line breaks */
    size_t requests;
};
struct step_preview step_preview_run(struct adapter_delivery delivery);
void step_preview_fini(struct step_preview *preview);

/** A content with each part set. Static parts; the caller may change the copy. */
Herald__Distribution__V1__Content step_content(void);

#endif
