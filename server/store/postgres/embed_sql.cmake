# Makes C of db/migrations/*.sql and db/queries/*.sql.
#
#   cmake -DSOURCE=<folder of the .sql folders> -DOUTPUT=<folder> -P embed_sql.cmake
#
# Writes db_query.h (enum db_query, one for each file of queries/) and embedded_sql.c (the tables declared in
# server/store/postgres/embedded_sql.h). Refuses a query without its comment or "-- Effect: read|write", and migrations that are not numbered
# 0001, 0002, …
cmake_policy(SET CMP0007 NEW)

# The text of a file as a C string literal, one line of C for each line.
function(c_string_of path ret)
  file(READ ${path} text)
  string(REGEX REPLACE "\n+$" "" text "${text}")
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n     \"" text "${text}")
  set(${ret} "\"${text}\"" PARENT_SCOPE)
endfunction()

file(GLOB queries ${SOURCE}/queries/*.sql)
list(SORT queries)
set(enum "")
set(rows "")
foreach(path IN LISTS queries)
  get_filename_component(name ${path} NAME_WE)
  file(READ ${path} text)
  if(NOT text MATCHES "^-- [A-Z]")
    message(FATAL_ERROR "${path}:1: the file must begin with a comment that says what the statement does")
  endif()
  if(NOT text MATCHES "\n-- Effect: (read|write)\n")
    message(FATAL_ERROR "${path}: a line \"-- Effect: read\" or \"-- Effect: write\" is missing")
  endif()
  string(COMPARE EQUAL "${CMAKE_MATCH_1}" "write" writes)
  if(text MATCHES ";[ \n]*$")
    message(FATAL_ERROR "${path}: one statement a file, without a semicolon")
  endif()
  string(TOUPPER "DB_QUERY_${name}" constant)
  c_string_of(${path} literal)
  string(APPEND enum "    ${constant},\n")
  string(APPEND rows "    [${constant}] = {\"${name}\", ${writes},\n     ${literal}},\n")
endforeach()
file(CONFIGURE OUTPUT ${OUTPUT}/db_query.h @ONLY CONTENT [[/* Generated from db/queries by server/store/postgres/embed_sql.cmake. */
#ifndef HERALD_POSTGRES_DB_QUERY_H
#define HERALD_POSTGRES_DB_QUERY_H

enum db_query {
@enum@    DB_QUERY_COUNT
};

#endif
]])

file(GLOB migrations ${SOURCE}/migrations/*.sql)
list(SORT migrations)
set(steps "")
set(number 0)
foreach(path IN LISTS migrations)
  get_filename_component(name ${path} NAME)
  math(EXPR number "${number} + 1")
  string(LENGTH "${number}" digits)
  math(EXPR zeros "4 - ${digits}")
  string(REPEAT "0" ${zeros} prefix)
  if(NOT name MATCHES "^${prefix}${number}_[a-z0-9_]+\\.sql$")
    message(FATAL_ERROR "${path}: migration number ${number} must be named ${prefix}${number}_<what>.sql")
  endif()
  file(SHA256 ${path} checksum)
  c_string_of(${path} literal)
  string(APPEND steps "    {${number}, \"${name}\", \"${checksum}\",\n     ${literal}},\n")
endforeach()
string(CONCAT content "/* Generated from db/migrations and db/queries by server/store/postgres/embed_sql.cmake. */\n"
       "#include \"server/store/postgres/embedded_sql.h\"\n\n"
       "const struct db_query_text db_query_texts[DB_QUERY_COUNT] = {\n${rows}};\n\n"
       "const struct db_migration db_migrations[] = {\n${steps}};\n"
       "const unsigned db_migration_count = ${number};\n")
file(WRITE ${OUTPUT}/embedded_sql.c "${content}")
