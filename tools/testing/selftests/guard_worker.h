/* SPDX-License-Identifier: GPL-2.0 */
#ifndef GUARD_WORKER_H
#define GUARD_WORKER_H

#include <stdbool.h>

/* A thread or a process that works on a mapping while a test uses it. */
void worker_start(void (*work)(char *map), bool process);
/* Does nothing where no worker was started, as in a test that was skipped. */
void worker_stop(void);

/* The worker calls work() for the mapping again and again until it is NULL. */
void worker_set_map(char *map);

/* Returns when work() has been left that ran at the time of the call. */
void worker_wait(void);

#endif
