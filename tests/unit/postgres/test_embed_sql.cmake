# server/store/postgres/embed_sql.cmake: what it makes of good files, and how it refuses bad ones.

function(write_good)
  file(REMOVE_RECURSE ${WORK})
  file(WRITE ${WORK}/migrations/0001_first.sql "CREATE TABLE t (a text[] DEFAULT '{}');\n-- \"quoted\" \\ ; 한글\n")
  file(WRITE ${WORK}/migrations/0002_second.sql "SELECT 1;\n")
  file(WRITE ${WORK}/queries/a_read.sql "-- Reads.\n-- Effect: read\nSELECT 1 AS one\n")
  file(WRITE ${WORK}/queries/b_write.sql "-- Writes; and so on.\n-- Effect: write\n-- $1 id\nDELETE FROM t WHERE a = $1\n")
endfunction()

function(embed ret_status ret_error)
  execute_process(COMMAND ${CMAKE_COMMAND} -DSOURCE=${WORK} -DOUTPUT=${WORK}/out -P ${SCRIPT}
                  RESULT_VARIABLE status ERROR_VARIABLE error OUTPUT_QUIET)
  string(REGEX REPLACE "[ \n]+" " " error "${error}")
  set(${ret_status} ${status} PARENT_SCOPE)
  set(${ret_error} "${error}" PARENT_SCOPE)
endfunction()

function(expect_refused text)
  embed(status error)
  string(FIND "${error}" "${text}" at)
  if(status EQUAL 0)
    message(SEND_ERROR "accepted, not refused with: ${text}")
  elseif(at EQUAL -1)
    message(SEND_ERROR "refused with: ${error}\nnot with: ${text}")
  endif()
endfunction()

function(expect_in file text)
  file(READ ${WORK}/out/${file} content)
  string(FIND "${content}" "${text}" at)
  if(at EQUAL -1)
    message(SEND_ERROR "${file} does not hold: ${text}\n${content}")
  endif()
endfunction()

function(expect_accepted)
  embed(status error)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "good files were refused: ${error}")
  endif()
endfunction()

# A query with this statement, which must give rows with these columns, or none.
function(expect_columns statement)
  file(WRITE ${WORK}/queries/c.sql "-- Reads.\n-- Effect: read\n${statement}\n")
  expect_accepted()
  if("${ARGN}" STREQUAL "")
    expect_in(embedded_sql.c "[DB_QUERY_C] = {\"c\", DB_EFFECT_READ, 0, DB_ROW_NONE,")
    return()
  endif()
  list(LENGTH ARGN count)
  string(REPLACE ";" "\", \"" names "${ARGN}")
  expect_in(embedded_sql.c "[DB_ROW_C] = {\"c\", ${count}, {\"${names}\", }}")
endfunction()

# A query with this text after its first line, "-- Reads.", and the effect after that. The statement begins on line 3.
function(expect_query_refused text refusal)
  write_good()
  file(WRITE ${WORK}/queries/bad.sql "-- Reads.\n-- Effect: read\n${text}\n")
  expect_refused("${refusal}")
endfunction()

# ---- what is embedded ----

write_good()
expect_accepted()
file(SHA256 ${WORK}/migrations/0001_first.sql checksum)
expect_in(db_query.h "    DB_QUERY_A_READ,\n    DB_QUERY_B_WRITE,\n    DB_QUERY_COUNT")
expect_in(embedded_sql.c "[DB_QUERY_A_READ] = {\"a_read\", DB_EFFECT_READ, 0, DB_ROW_A_READ,")
expect_in(embedded_sql.c "[DB_QUERY_B_WRITE] = {\"b_write\", DB_EFFECT_WRITE, 1, DB_ROW_NONE,")
expect_in(embedded_sql.c "{1, \"0001_first.sql\", \"${checksum}\",")
expect_in(embedded_sql.c "\"CREATE TABLE t (a text[] DEFAULT '{}');\\n\"\n     \"-- \\\"quoted\\\" \\\\ ; 한글\"")
expect_in(embedded_sql.c "db_migration_count = 2;")

# ---- columns ----

write_good()
expect_columns("SELECT a, t.b, c::text AS see FROM t" a b see)
expect_columns("SELECT a\nFROM t\nWHERE b = ',' AND c = '-'" a)
expect_columns("SELECT f(a, (b, c)) AS f, ARRAY[a, b] AS list, 'x, y' AS text FROM t" f list text)
expect_columns("SELECT EXISTS (SELECT a, b FROM t) AS is_there -- a comment, with a comma; and more" is_there)
expect_columns("WITH w AS (\n    SELECT a, b FROM t\n), v AS (SELECT 1)\nSELECT a AS first,\n       b AS second\nFROM w" first second)
expect_columns("DELETE FROM t WHERE a = (SELECT b FROM t) RETURNING a, b" a b)
expect_columns("INSERT INTO t (a, b)\nSELECT a, b FROM t\nON CONFLICT DO UPDATE SET a = 1\nRETURNING\n    a,\n    b AS bee" a bee)
expect_columns("WITH gone AS (DELETE FROM t RETURNING a, b) UPDATE t SET a = 1")
expect_columns("SELECT FROM t WHERE a = 1 FOR UPDATE")

# Two swapped columns swap their places in the header too.
write_good()
file(WRITE ${WORK}/queries/c.sql "-- Reads.\n-- Effect: read\nSELECT id, user_id FROM t\n")
expect_accepted()
expect_in(db_query.h "    DB_C__ID = DB_ROW_C * DB_ROW_COLUMNS_MAX,\n    DB_C__USER_ID,\n")
file(WRITE ${WORK}/queries/c.sql "-- Reads.\n-- Effect: read\nSELECT user_id, id FROM t\n")
expect_accepted()
expect_in(db_query.h "    DB_C__USER_ID = DB_ROW_C * DB_ROW_COLUMNS_MAX,\n    DB_C__ID,\n")

expect_query_refused("SELECT a,\n       b + 1,\n       c AS see\nFROM t" "bad.sql:4: a column has no name: write AS name")
expect_query_refused("SELECT count(*) FROM t" "bad.sql:3: a column has no name")
expect_query_refused("SELECT a::text FROM t" "bad.sql:3: a column has no name")
expect_query_refused("SELECT a, FROM t" "bad.sql:3: a column has no name")
expect_query_refused("SELECT a,\n       b AS \"Bee\" FROM t" "bad.sql:4: \" is not understood here")
expect_query_refused("SELECT * FROM t" "bad.sql:3: columns are named one by one, not with *")
expect_query_refused("SELECT a,\n\n       t.* FROM t" "bad.sql:5: columns are named one by one")
expect_query_refused("SELECT a, b AS bee,\n       c AS a FROM t" "bad.sql:4: two columns have the name a")
expect_query_refused("DELETE FROM t\nWHERE a = 'x'\nRETURNING a,\n          lower(b)" "bad.sql:6: a column has no name")
expect_query_refused("WITH w AS (\n    SELECT 1\n)\nSELECT a,\n       2\nFROM w" "bad.sql:7: a column has no name")
expect_query_refused("TRUNCATE t" "bad.sql: no SELECT, INSERT, UPDATE or DELETE")

# ---- rows that several queries return ----

function(write_rows first second)
  write_good()
  file(WRITE ${WORK}/queries/c.sql "-- Reads.\n-- Effect: read\n-- Row: thing\n${first}\n")
  file(WRITE ${WORK}/queries/d.sql "-- Reads.\n-- Effect: read\n-- Row: thing\n${second}\n")
endfunction()

write_rows("SELECT a, b FROM t" "DELETE FROM t RETURNING a, b")
expect_accepted()
expect_in(db_query.h "    DB_THING__A = DB_ROW_THING * DB_ROW_COLUMNS_MAX,\n    DB_THING__B,\n};")
expect_in(embedded_sql.c "[DB_QUERY_C] = {\"c\", DB_EFFECT_READ, 0, DB_ROW_THING,")
expect_in(embedded_sql.c "[DB_QUERY_D] = {\"d\", DB_EFFECT_READ, 0, DB_ROW_THING,")

set(differ "its columns differ from those of c.sql, of the same \"-- Row: thing\"")
write_rows("SELECT a, b FROM t" "SELECT b,\n       a FROM t")
expect_refused("d.sql:4: ${differ}: column 1 is b here and a there")
write_rows("SELECT a, b FROM t" "SELECT a,\n       c FROM t")
expect_refused("d.sql:5: ${differ}: column 2 is c here and b there")
write_rows("SELECT a, b FROM t" "SELECT a,\n       b,\n       c FROM t")
expect_refused("d.sql:6: ${differ}: column 3, c, is here only")
write_rows("SELECT a, b FROM t" "SELECT a FROM t")
expect_refused("d.sql:4: ${differ}: column 2, b, is there only")
write_rows("SELECT a FROM t" "DELETE FROM t")
expect_refused("d.sql: \"-- Row: thing\", and the statement returns no columns")
expect_query_refused("-- Row: Thing\nSELECT a FROM t" "bad.sql: \"-- Row: Thing\" is no name in small letters")

# A "-- Row:" that was forgotten, in one of two queries and in one of three.
expect_query_refused("-- Row: thing\nSELECT a, b FROM t" "bad.sql: no other query has \"-- Row: thing\"")
write_rows("SELECT a, b FROM t" "SELECT a, b FROM t")
file(WRITE ${WORK}/queries/e.sql "-- Reads.\n-- Effect: read\nSELECT b, a FROM t\n")
expect_refused("e.sql: it returns the same columns as c.sql: give both the same \"-- Row: NAME\"")
file(WRITE ${WORK}/queries/e.sql "-- Reads.\n-- Effect: read\nSELECT a, b FROM t\n")
expect_refused("e.sql: it returns the same columns as c.sql: give both")
write_good()
file(WRITE ${WORK}/queries/c.sql "-- Reads.\n-- Effect: read\nSELECT a FROM t\n")
file(WRITE ${WORK}/queries/d.sql "-- Reads.\n-- Effect: read\nSELECT a FROM u\n")
expect_accepted()

# ---- parameters ----

write_good()
file(WRITE ${WORK}/queries/c.sql "-- Reads.\n-- Effect: read\n-- $1 a  $2 b\nSELECT a FROM t WHERE a = $1 AND b = $2 AND c <> $1\n")
expect_accepted()
expect_in(embedded_sql.c "[DB_QUERY_C] = {\"c\", DB_EFFECT_READ, 2, DB_ROW_C,")
expect_query_refused("-- $1 a\nSELECT a FROM t WHERE a = $1 AND b = $2" "bad.sql: no comment says what $2 is")
expect_query_refused("-- $1 a  $2 b\nSELECT a FROM t WHERE a = $1" "bad.sql: a comment explains $2, which the statement does not use")
expect_query_refused("-- $1 a  $3 b\nSELECT a FROM t WHERE a = $1 AND b = $3" "bad.sql: the statement has 2 parameters, and $2 is not among them")

# ---- files that are no query ----

write_good()
file(WRITE ${WORK}/queries/c.sql "-- Reads.\n-- Effect: read by key\n-- $1 a\nSELECT a FROM t WHERE a = $1\n")
expect_accepted()
expect_in(embedded_sql.c "[DB_QUERY_C] = {\"c\", DB_EFFECT_READ_BY_KEY, 1, DB_ROW_C,")

write_good()
file(WRITE ${WORK}/queries/bad.sql "SELECT 1\n-- Effect: read\n")
expect_refused("bad.sql:1: the file must begin with a comment")

write_good()
file(WRITE ${WORK}/queries/bad.sql "-- Reads.\nSELECT 1\n")
expect_refused("bad.sql: a line \"-- Effect: read\", \"-- Effect: read by key\" or \"-- Effect: write\" is missing")

write_good()
file(WRITE ${WORK}/queries/bad.sql "-- Reads.\n-- Effect: read\nSELECT 1 AS one;\n")
expect_refused("bad.sql:3: one statement a file, without a semicolon")

expect_query_refused("SELECT 'a\nb' AS a" "bad.sql:3: ' is not understood here")
expect_query_refused("SELECT a\nFROM t /* all */" "bad.sql:4: /* is not understood here")
expect_query_refused("SELECT $a$x$a$ AS a" "bad.sql:3: $a is not understood here")

# ---- migrations ----

write_good()
file(WRITE ${WORK}/migrations/0004_gap.sql "SELECT 1;\n")
expect_refused("0004_gap.sql: migration number 3 must be named 0003_<what>.sql")

write_good()
file(WRITE ${WORK}/migrations/0002_twice.sql "SELECT 1;\n")
expect_refused("0002_twice.sql: migration number 3 must be named")
