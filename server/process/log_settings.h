#ifndef HERALD_PROCESS_LOG_SETTINGS_H
#define HERALD_PROCESS_LOG_SETTINGS_H

#include "server/settings/part.h"

#define LOG_SETTINGS(STRING, SECRET, UINT, BOOL, CHOICE)                                                               \
    CHOICE(log, level, "info", "debug|info|warning|error", "Least level written.")                                     \
    CHOICE(log, format, "auto", "auto|json|text", "auto: text on a terminal.")
SETTINGS_PART(log, LOG_SETTINGS)

#endif
