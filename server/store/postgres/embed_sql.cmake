# Makes C of db/migrations/*.sql and db/queries/*.sql.
#
#   cmake -DSOURCE=<folder of the .sql folders> -DOUTPUT=<folder> -P embed_sql.cmake
#
# Writes db_query.h (enum db_query, one for each query; enum db_row_type and enum db_column, for the columns that
# queries return) and embedded_sql.c (the tables declared in server/store/postgres/embedded_sql.h).
#
# A query begins with a comment that says what it does. After it:
#
#   -- Effect: read|write   required; "read by key": what stands under one key, so that it shares a transaction with others
#                           of its kind
#   -- Row: NAME            two or more queries of one NAME return the same columns, for one function to read; without
#                           it, the query's own name
#   -- $1 id  $2 user_id    what each parameter is
#
# The columns are those of the SELECT or RETURNING list of the statement itself, not of those in WITH or in parentheses.
# Each is a plain column or has AS name. What this file reads wrongly, a connection finds when it prepares the query
# (prepare.c).
#
# Refuses with file:line what does not keep to this; and migrations that are not numbered 0001, 0002, …
cmake_policy(SET CMP0007 NEW)
cmake_policy(SET CMP0054 NEW)
cmake_policy(SET CMP0057 NEW)

set(COLUMNS_MAX 64)
set(WORD "[a-z_][a-z0-9_]*")

# The text of a file as a C string literal, one line of C for each line.
function(c_string_of path ret)
  file(READ ${path} text)
  string(REGEX REPLACE "\n+$" "" text "${text}")
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "\n" "\\n\"\n     \"" text "${text}")
  set(${ret} "\"${text}\"" PARENT_SCOPE)
endfunction()

# Number of the line on which the rest of a text begins that has @before in front.
function(line_after before ret)
  string(REGEX REPLACE "[^\n]" "" newlines "${before}")
  string(LENGTH "${newlines}" line)
  math(EXPR line "${line} + 1")
  set(${ret} ${line} PARENT_SCOPE)
endfunction()

# Splits a text where a regular expression first matches. Without a match, all is before.
function(split_at regex text ret_before ret_match ret_after)
  set(before "${text}")
  set(match "")
  set(after "")
  if(text MATCHES "${regex}")
    set(match "${CMAKE_MATCH_0}")
    string(FIND "${text}" "${match}" at)
    string(SUBSTRING "${text}" 0 ${at} before)
    string(LENGTH "${match}" length)
    math(EXPR at "${at} + ${length}")
    string(SUBSTRING "${text}" ${at} -1 after)
  endif()
  set(${ret_before} "${before}" PARENT_SCOPE)
  set(${ret_match} "${match}" PARENT_SCOPE)
  set(${ret_after} "${after}" PARENT_SCOPE)
endfunction()

# A query without comments and with ~ for each 'text'; its lines stay where they were.
function(code_of path text ret)
  string(REGEX REPLACE "--[^\n]*" "" code "${text}")
  string(REGEX REPLACE "'[^'\n]*'" "~" code "${code}")
  split_at("['\"\;]|/[*]|[$][a-z$]" "${code}" before match after)
  if(match STREQUAL ";")
    line_after("${before}" line)
    message(FATAL_ERROR "${path}:${line}: one statement a file, without a semicolon")
  elseif(NOT match STREQUAL "")
    line_after("${before}" line)
    message(FATAL_ERROR "${path}:${line}: ${match} is not understood here: no quoted names, no /* */, no $$, "
                        "and no -- or line's end in a 'text'")
  endif()
  set(${ret} "${code}" PARENT_SCOPE)
endfunction()

# Code with ~ for each (group) and [group]; its lines stay where they were.
function(top_level_of code ret)
  while(code MATCHES "[(][^()]*[)]|[[][^][]*[]]")
    set(group "${CMAKE_MATCH_0}")
    string(REGEX REPLACE "[^\n]" "" newlines "${group}")
    string(REPLACE "${group}" "~${newlines}" code "${code}")
  endwhile()
  set(${ret} "${code}" PARENT_SCOPE)
endfunction()

# The list of what a query returns, and the line on which it begins; empty when it returns nothing.
function(returned_by path code ret_list ret_line)
  top_level_of("${code}" top)
  split_at("[ \n](SELECT|INSERT|UPDATE|DELETE)[ \n]" "\n${top}" before verb rest)
  if(verb STREQUAL "")
    message(FATAL_ERROR "${path}: no SELECT, INSERT, UPDATE or DELETE")
  elseif(verb MATCHES "SELECT")
    split_at("(^|[ \n])(FROM|WHERE|GROUP|ORDER|LIMIT|UNION)[ \n]" "${rest}" list end after)
    line_after("${before}${verb}" line)
  else()
    split_at("[ \n]RETURNING[ \n]" "${rest}" between returning list)
    line_after("${before}${verb}${between}${returning}" line)
  endif()
  math(EXPR line "${line} - 1") # of the newline put in front
  set(${ret_list} "${list}" PARENT_SCOPE)
  set(${ret_line} ${line} PARENT_SCOPE)
endfunction()

# Name of one column. @where  file:line, for what is refused
function(name_of_column where item ret)
  if(item MATCHES "^(${WORD}[.])?(${WORD})$" OR item MATCHES "[ \n]AS[ \n]+${WORD}$")
    string(REGEX MATCH "${WORD}$" name "${item}")
  elseif(item MATCHES "[*]$")
    message(FATAL_ERROR "${where}: columns are named one by one, not with *")
  else()
    message(FATAL_ERROR "${where}: a column has no name: write AS name")
  endif()
  set(${ret} ${name} PARENT_SCOPE)
endfunction()

# Names of the columns that a query returns, and the line of each.
function(columns_of path code ret_names ret_lines)
  returned_by(${path} "${code}" list line)
  string(REPLACE "," ";" items "${list}")
  set(names "")
  set(lines "")
  foreach(item IN LISTS items)
    split_at("[^ \n]" "${item}" space first rest)
    line_after("${space}" offset)
    math(EXPR at "${line} + ${offset} - 1")
    line_after("${item}" offset)
    math(EXPR line "${line} + ${offset} - 1")
    string(STRIP "${item}" item)
    if(item STREQUAL "" AND NOT list MATCHES ",")
      break() # SELECT FROM …: rows without columns
    endif()
    name_of_column("${path}:${at}" "${item}" name)
    if(name IN_LIST names)
      message(FATAL_ERROR "${path}:${at}: two columns have the name ${name}")
    endif()
    list(APPEND names ${name})
    list(APPEND lines ${at})
  endforeach()
  set(${ret_names} "${names}" PARENT_SCOPE)
  set(${ret_lines} "${lines}" PARENT_SCOPE)
endfunction()

# Refuses columns that differ from those of the first query with the same row type.
function(check_same_columns path row names lines)
  list(LENGTH names count)
  set(first "${columns_${row}}")
  list(LENGTH first first_count)
  list(GET lines -1 last_line)
  set(differ "its columns differ from those of ${origin_${row}}, of the same \"-- Row: ${row}\"")
  set(place 0)
  foreach(name IN LISTS names)
    list(GET lines ${place} line)
    math(EXPR number "${place} + 1")
    if(place EQUAL first_count)
      message(FATAL_ERROR "${path}:${line}: ${differ}: column ${number}, ${name}, is here only")
    endif()
    list(GET first ${place} other)
    if(NOT name STREQUAL other)
      message(FATAL_ERROR "${path}:${line}: ${differ}: column ${number} is ${name} here and ${other} there")
    endif()
    set(place ${number})
  endforeach()
  if(count LESS first_count)
    list(GET first ${count} other)
    math(EXPR number "${count} + 1")
    message(FATAL_ERROR "${path}:${last_line}: ${differ}: column ${number}, ${other}, is there only")
  endif()
endfunction()

# Refuses a "-- Row:" of one query alone, and two row types with the same columns in whatever order: a "-- Row:" was
# forgotten, and a function would read the rows of the other query. One column cannot be in another order.
function(check_row_types)
  set(sets "")
  set(rows "")
  foreach(row IN LISTS row_types)
    if(users_${row} EQUAL 1 AND NOT "${row}.sql" STREQUAL "${origin_${row}}")
      message(FATAL_ERROR "${SOURCE}/queries/${origin_${row}}: no other query has \"-- Row: ${row}\"")
    endif()
    set(names "${columns_${row}}")
    list(LENGTH names count)
    list(SORT names)
    list(JOIN names "," names)
    list(FIND sets "${names}" at)
    if(count GREATER 1 AND at GREATER -1)
      list(GET rows ${at} other)
      message(FATAL_ERROR "${SOURCE}/queries/${origin_${row}}: it returns the same columns as ${origin_${other}}: "
                          "give both the same \"-- Row: NAME\"")
    endif()
    list(APPEND sets "${names}")
    list(APPEND rows ${row})
  endforeach()
endfunction()

# How many parameters a query has. Each must be used, and be explained in a comment.
function(params_of path text code ret)
  string(REGEX MATCHALL "[$][0-9]+" used "${code}")
  list(REMOVE_DUPLICATES used)
  list(LENGTH used count)
  string(REGEX MATCHALL "--[^\n]*" comments "${text}")
  string(REGEX MATCHALL "[$][0-9]+" explained "${comments}")
  foreach(param IN LISTS used)
    if(NOT param IN_LIST explained)
      message(FATAL_ERROR "${path}: no comment says what ${param} is")
    endif()
  endforeach()
  foreach(param IN LISTS explained)
    if(NOT param IN_LIST used)
      message(FATAL_ERROR "${path}: a comment explains ${param}, which the statement does not use")
    endif()
  endforeach()
  foreach(number RANGE 1 ${count})
    if(count GREATER 0 AND NOT "$${number}" IN_LIST used)
      message(FATAL_ERROR "${path}: the statement has ${count} parameters, and $${number} is not among them")
    endif()
  endforeach()
  set(${ret} ${count} PARENT_SCOPE)
endfunction()

# What the file says in its comment. @ret_effect  of enum db_effect  @ret_row  "": none
function(head_of path text ret_effect ret_row)
  if(NOT text MATCHES "^-- [A-Z]")
    message(FATAL_ERROR "${path}:1: the file must begin with a comment that says what the statement does")
  endif()
  if(NOT text MATCHES "\n-- Effect: (read|read by key|write)\n")
    message(FATAL_ERROR "${path}: a line \"-- Effect: read\", \"-- Effect: read by key\" or \"-- Effect: write\" is missing")
  endif()
  string(REPLACE " " "_" effect "${CMAKE_MATCH_1}")
  string(TOUPPER "DB_EFFECT_${effect}" effect)
  set(row "")
  if(text MATCHES "\n-- Row: *([^\n]*)\n")
    set(row "${CMAKE_MATCH_1}")
    if(NOT row MATCHES "^${WORD}$")
      message(FATAL_ERROR "${path}: \"-- Row: ${row}\" is no name in small letters")
    endif()
  endif()
  set(${ret_effect} ${effect} PARENT_SCOPE)
  set(${ret_row} "${row}" PARENT_SCOPE)
endfunction()

# ---- queries ----

file(GLOB queries ${SOURCE}/queries/*.sql)
list(SORT queries)
set(query_enum "")
set(query_rows "")
set(row_types "") # columns_NAME, origin_NAME and users_NAME (how many queries) belong to each
foreach(path IN LISTS queries)
  get_filename_component(query ${path} NAME_WE)
  file(READ ${path} text)
  head_of(${path} "${text}" effect row)
  code_of(${path} "${text}" code)
  params_of(${path} "${text}" "${code}" params)
  columns_of(${path} "${code}" names lines)
  if(names STREQUAL "" AND NOT row STREQUAL "")
    message(FATAL_ERROR "${path}: \"-- Row: ${row}\", and the statement returns no columns")
  endif()
  set(row_constant DB_ROW_NONE)
  if(NOT names STREQUAL "")
    if(row STREQUAL "")
      set(row ${query})
    endif()
    if(row IN_LIST row_types)
      check_same_columns(${path} ${row} "${names}" "${lines}")
    else()
      list(APPEND row_types ${row})
      set(columns_${row} "${names}")
      set(origin_${row} ${query}.sql)
      set(users_${row} 0)
    endif()
    math(EXPR users_${row} "${users_${row}} + 1")
    string(TOUPPER "DB_ROW_${row}" row_constant)
  endif()
  string(TOUPPER "DB_QUERY_${query}" constant)
  c_string_of(${path} literal)
  string(APPEND query_enum "    ${constant},\n")
  string(APPEND query_rows
         "    [${constant}] = {\"${query}\", ${effect}, ${params}, ${row_constant},\n     ${literal}},\n")
endforeach()
check_row_types()

# ---- what they return ----

set(row_enum "")
set(column_enum "")
set(row_rows "")
foreach(row IN LISTS row_types)
  list(LENGTH columns_${row} count)
  if(count GREATER COLUMNS_MAX)
    message(FATAL_ERROR "row ${row} has ${count} columns: COLUMNS_MAX of embed_sql.cmake is ${COLUMNS_MAX}")
  endif()
  string(TOUPPER ${row} upper)
  string(APPEND row_enum "    DB_ROW_${upper},\n")
  string(APPEND column_enum "\n")
  set(first " = DB_ROW_${upper} * DB_ROW_COLUMNS_MAX")
  set(quoted "")
  foreach(name IN LISTS columns_${row})
    string(TOUPPER ${name} upper_name)
    string(APPEND column_enum "    DB_${upper}__${upper_name}${first},\n")
    string(APPEND quoted "\"${name}\", ")
    set(first "")
  endforeach()
  string(APPEND row_rows "    [DB_ROW_${upper}] = {\"${row}\", ${count}, {${quoted}}},\n")
endforeach()

file(CONFIGURE OUTPUT ${OUTPUT}/db_query.h @ONLY CONTENT [[/* Generated from db/queries by server/store/postgres/embed_sql.cmake. */
#ifndef HERALD_POSTGRES_DB_QUERY_H
#define HERALD_POSTGRES_DB_QUERY_H

enum db_query {
@query_enum@    DB_QUERY_COUNT
};

/* What a query returns: queries of one type have the same columns. */
enum db_row_type {
    DB_ROW_NONE,
@row_enum@    DB_ROW_TYPE_COUNT
};

/* DB_<row type>__<column>: the number of the row type times this, and the place in the row. */
#define DB_ROW_COLUMNS_MAX @COLUMNS_MAX@
enum db_column {
    DB_COLUMN_NONE,
@column_enum@};

#endif
]])

# ---- migrations ----

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
       "const struct db_query_text db_query_texts[DB_QUERY_COUNT] = {\n${query_rows}};\n\n"
       "const struct db_row_columns db_row_columns[DB_ROW_TYPE_COUNT] = {\n    [DB_ROW_NONE] = {\"none\", 0, {0}},\n${row_rows}};\n\n"
       "const struct db_migration db_migrations[] = {\n${steps}};\n"
       "const unsigned db_migration_count = ${number};\n")
file(WRITE ${OUTPUT}/embedded_sql.c "${content}")
