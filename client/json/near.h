#ifndef HERALD_JSON_NEAR_H
#define HERALD_JSON_NEAR_H

/** How far a wrong name may be from a right one, as herald_edit_distance() has it, to be offered. */
#define NEAR_MAX 3u

#endif
