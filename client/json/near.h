#ifndef HERALD_JSON_NEAR_H
#define HERALD_JSON_NEAR_H

/** How far a wrong name may be from a right one, in letters, to be offered. */
#define NEAR_MAX 3

/** Levenshtein's distance, letter case aside; names of more than 64 letters count as farther than NEAR_MAX. */
unsigned near_distance(const char *a, const char *b);

#endif
