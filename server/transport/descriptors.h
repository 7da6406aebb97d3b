#ifndef HERALD_TRANSPORT_DESCRIPTORS_H
#define HERALD_TRANSPORT_DESCRIPTORS_H

#include "server/settings/settings.h"

/** Raises the process's soft limit of descriptors to the hard one; logs when rpc.max_connections need more. */
void descriptors_allow(const struct settings *settings);

#endif
