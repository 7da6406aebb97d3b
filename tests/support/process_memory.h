#ifndef HERALD_TESTS_SUPPORT_PROCESS_MEMORY_H
#define HERALD_TESTS_SUPPORT_PROCESS_MEMORY_H

#include <sys/types.h>

/** Memory that a process uses, and address space that it has taken, KiB. */
long process_resident_kib(pid_t pid);
long process_virtual_kib(pid_t pid);

#endif
