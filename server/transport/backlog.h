#ifndef HERALD_TRANSPORT_BACKLOG_H
#define HERALD_TRANSPORT_BACKLOG_H

/*
 * nng's listeners ask the kernel to keep 128 connections that they have not accepted yet. When more clients come at once,
 * the kernel drops their connections, and they try again only a second later, then after three. This executable
 * therefore defines listen() itself and asks for LISTENER_BACKLOG at least.
 */
#include <stdbool.h>

/** Connections that a listener lets wait to be accepted; net.core.somaxconn may be less. */
#define LISTENER_BACKLOG 4096

/** True once listen() was called. */
bool backlog_shim_active(void);

#endif
