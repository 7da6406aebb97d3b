#ifndef HERALD_GEN_CHECK_H
#define HERALD_GEN_CHECK_H

#include "gen/plugin/model.h"
#include "gen/plugin/problems.h"

/*
 * What the generator refuses. Each check walks one wanted file and adds what it finds; nothing stops at the first.
 */

/** All checks on all wanted files that are ours. */
void check_model(const struct model *model, struct problems *problems);

/** Names that C keeps for itself, and different names that become one C name. */
void check_names(const struct model_file *file, struct problems *problems);
/** Rules that do not fit the type of their field, or its message's place in the calls of @model. */
void check_rules(const struct model *model, const struct model_file *file, struct problems *problems);
/** Reasons of policies: words that are none, that no handler gives or that any may give, and repeated ones. */
void check_reasons(const struct model_file *file, struct problems *problems);
/** Messages that contain themselves: protobuf-c unpacks without a limit on depth. */
void check_cycles(const struct model_file *file, struct problems *problems);

#endif
