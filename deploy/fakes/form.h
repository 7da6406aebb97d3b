#ifndef HERALD_FAKES_FORM_H
#define HERALD_FAKES_FORM_H

/* Values of a body in application/x-www-form-urlencoded, and of the query. */
#include "deploy/fakes/fakes_private.h"

/**
 * A value by its name, from the body, else from the query.
 *
 * Returns: the text, in UTF-8 if the peer sent that; free(). NULL: there is none, or no memory
 */
char *form_value(const struct fakes_request *request, const char *name);

#endif
