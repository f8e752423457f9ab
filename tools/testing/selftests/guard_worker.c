// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "guard_util.h"
#include "guard_worker.h"

struct shared {
	_Atomic(char *) map;
	atomic_uint turns;
};

static struct shared *shared;
static void (*work)(char *map);
static pthread_t thread;
static pid_t pid;

static void *run(void *unused)
{
	char *map;

	while ((map = atomic_load(&shared->map)) != MAP_FAILED) {
		if (map)
			work(map);
		atomic_fetch_add(&shared->turns, 1);
	}
	return NULL;
}

void worker_start(void (*worker)(char *map), bool process)
{
	shared = mmap(NULL, sizeof(*shared), RW, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		err(KSFT_FAIL, "mmap");
	work = worker;
	pid = 0;
	if (!process) {
		if (pthread_create(&thread, NULL, run, NULL))
			errx(KSFT_FAIL, "pthread_create");
		return;
	}
	pid = fork();
	if (pid < 0)
		err(KSFT_FAIL, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(NULL);
		_exit(0);
	}
}

void worker_stop(void)
{
	int status = 0;

	if (!shared)
		return;
	worker_set_map(MAP_FAILED);
	if (!pid)
		pthread_join(thread, NULL);
	else if (waitpid(pid, &status, 0) != pid || status)
		errx(KSFT_FAIL, "the worker ended with status %#x", status);
}

void worker_set_map(char *map)
{
	atomic_store(&shared->map, map);
}

void worker_wait(void)
{
	unsigned int seen = atomic_load(&shared->turns);

	while (atomic_load(&shared->turns) - seen < 2)
		sched_yield();
}
