#ifndef HERALD_JSON_NEAR_H
#define HERALD_JSON_NEAR_H

/** Largest herald_edit_distance() from a wrong name to a right one that an error suggests instead. */
#define NEAR_MAX 3u

#endif
