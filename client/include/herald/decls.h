#ifndef HERALD_DECLS_H
#define HERALD_DECLS_H

/*
 * These macros enclose the declarations of every public header, hand-written and generated. They give C linkage in C++
 * and export the names from libherald. Its sources are compiled with -fvisibility=hidden, so a function that no public
 * header declares stays internal. Includes go before HERALD_BEGIN_DECLS.
 */

#ifdef __cplusplus
#define HERALD_BEGIN_DECLS                                                                                             \
    extern "C" {                                                                                                       \
    _Pragma("GCC visibility push(default)")
#define HERALD_END_DECLS                                                                                               \
    _Pragma("GCC visibility pop")                                                                                      \
    }
#else
#define HERALD_BEGIN_DECLS _Pragma("GCC visibility push(default)")
#define HERALD_END_DECLS   _Pragma("GCC visibility pop")
#endif

#endif
