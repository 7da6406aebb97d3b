#ifndef HERALD_GEN_CHECK_H
#define HERALD_GEN_CHECK_H

/* The checks of schemas. Each walks one wanted file and adds every problem that it finds; none stops at the first. */
#include "gen/plugin/model.h"
#include "gen/plugin/problems.h"

/** Runs all checks on all wanted files, except Google's. */
void check_model(const struct model *model, struct problems *problems);

/** Names that C keeps for itself, and different names that become one C name. */
void check_names(const struct model_file *file, struct problems *problems);
/** Rules that do not fit the type of their field, or the use of its message in the calls of @model. */
void check_rules(const struct model *model, const struct model_file *file, struct problems *problems);
/** Reasons of policies: unknown words, reasons that no handler gives or that every method may give, duplicates. */
void check_reasons(const struct model_file *file, struct problems *problems);
/** Messages that contain themselves: protobuf-c unpacks without a limit on depth. */
void check_cycles(const struct model_file *file, struct problems *problems);
/** Routes that cannot work, that two methods have, or that only some methods of a service have. */
void check_routes(const struct model *model, const struct model_file *file, struct problems *problems);

#endif
