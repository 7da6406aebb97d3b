#ifndef HERALD_BASE_TASK_FN_H
#define HERALD_BASE_TASK_FN_H

/** Marks a function that may suspend the running task. Only TASK_FN functions and task bodies may call one (lint). */
#define TASK_FN

#endif
