#ifndef HERALD_DISTRIBUTION_ADAPTERS_ADAPTERS_H
#define HERALD_DISTRIBUTION_ADAPTERS_ADAPTERS_H

/* The adapters, for the table of channels. */
#include "server/distribution/adapter.h"

extern const struct adapter webhook_adapter;
extern const struct adapter instagram_adapter;
extern const struct adapter kakao_adapter;
extern const struct adapter naver_adapter;

#endif
