#ifndef HERALD_GEN_NAMES_H
#define HERALD_GEN_NAMES_H

/*
 * Names in C. protoc-c names types and descriptors; the rules below are those of its c_helpers.cc (1.4.1), so that our
 * output refers to its output. Our own symbols split words in the same way, with single underscores.
 */
#include "gen/plugin/memory.h"

#include <stdbool.h>

/** protoc-c's type: "a.b.FooBar" -> "A__B__FooBar". */
char *name_c_type(struct pool *pool, const char *full_name);
/** protoc-c's functions and descriptors: "a.b.FooBar" -> "a__b__foo_bar". */
char *name_c_lower(struct pool *pool, const char *full_name);
/** Our symbols: "a.b.FooBar" -> "a_b_foo_bar". */
char *name_symbol(struct pool *pool, const char *full_name);
/** "PublishEvent" -> "publish_event". */
char *name_snake(struct pool *pool, const char *name);
/** Prefix of a service's handlers: "FooBarService" -> "foo_bar". */
char *name_handlers(struct pool *pool, const char *service);
/** Name for people: "a.b.FooBar" in the package "a.b" -> "FooBar". */
const char *name_short(const char *package, const char *full_name);
/** "Value" -> "value": protoc-c's name of a field's member. */
char *name_lower(struct pool *pool, const char *name);
/** "a_b" -> "A_B". */
char *name_upper(struct pool *pool, const char *name);
/** "store_info" -> "storeInfo". */
char *name_json(struct pool *pool, const char *name);
/** "a/b/c-d.proto" -> "a_b_c_d". */
char *name_file_symbol(struct pool *pool, const char *path);
/** "a/b/c.proto" -> "a/b/c". */
char *name_file_stem(struct pool *pool, const char *path);
/** "a/b/c.proto", "client" -> "HERALD_GEN_A_B_C_CLIENT_H". */
char *name_guard(struct pool *pool, const char *path, const char *kind);
/** Whether C, or gcc in its default mode, reserves the word. */
bool name_is_reserved(const char *word);

#endif
