#ifndef HERALD_BASE_EDIT_DISTANCE_H
#define HERALD_BASE_EDIT_DISTANCE_H

/** Bytes of a name that are compared; the rest of a longer name is ignored. */
#define HERALD_EDIT_DISTANCE_MAX_BYTES 96

/**
 * How far two names are apart: the least number of letters to insert, remove or change (Levenshtein). ASCII letters of
 * either case are equal. A caller that suggests near names sets a limit of its own.
 *
 * Returns:  0: the same; at most HERALD_EDIT_DISTANCE_MAX_BYTES
 * Context:  any thread; at most HERALD_EDIT_DISTANCE_MAX_BYTES² steps
 */
unsigned herald_edit_distance(const char *a, const char *b);

#endif
