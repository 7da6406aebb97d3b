#ifndef HERALD_TESTS_UNIT_RPC_CMOCKA_HEADERS_H
#define HERALD_TESTS_UNIT_RPC_CMOCKA_HEADERS_H

/* cmocka's header needs these before it, in this order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
