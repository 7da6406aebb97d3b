#ifndef HERALD_TRANSPORT_DESCRIPTORS_H
#define HERALD_TRANSPORT_DESCRIPTORS_H

#include <stdint.h>

/** Raises the process's soft limit of descriptors to the hard one. Logs when @max_connections connections need more. */
void descriptors_allow(uint32_t max_connections);

#endif
