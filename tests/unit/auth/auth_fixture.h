#ifndef HERALD_TESTS_UNIT_AUTH_FIXTURE_H
#define HERALD_TESTS_UNIT_AUTH_FIXTURE_H

#include "server/auth/callers.h"
#include "tests/unit/rpc/cmocka_headers.h"

/* Keys as the callers files of these tests have them: 32 times 'A', 'B', 'C' or 'D'. */
#define KEY_A "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
#define KEY_B "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
#define KEY_C "Q0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0NDQ0M="
#define KEY_D "REREREREREREREREREREREREREREREREREREREREREQ="

/** The key of 32 times @letter. */
struct auth_key key_of(char letter);

/** Writes a file of mode 0600 in a folder that the test program removes at its end; the path lives until the next call
 *  with the same @name. */
const char *write_file(const char *name, const char *text);
/** Removes the folder and what is in it. */
void remove_files(void);

/** Loads callers that must be good. */
struct callers *good_callers(const char *text);

#endif
