// SPDX-License-Identifier: GPL-2.0
/* What the program guardmap says of a process is what is there. */
#include <err.h>
#include <signal.h>
#include <sys/mman.h>

#include "kselftest_harness.h"
#include "guard_util.h"

#define GUARDMAP	"/tests/guardmap"
#define PAGES		10

/* What it printed, and how it ended. */
struct output {
	char text[8192];
	int status;
};

static void run(struct output *output, const char *arguments)
{
	char command[128];
	size_t len;
	FILE *pipe;

	snprintf(command, sizeof(command), GUARDMAP " %s 2>&1", arguments);
	pipe = popen(command, "r");
	if (!pipe)
		err(KSFT_FAIL, "popen");
	len = fread(output->text, 1, sizeof(output->text) - 1, pipe);
	output->text[len] = '\0';
	output->status = WEXITSTATUS(pclose(pipe));
}

static int lines_with(const struct output *output, const char *what)
{
	const char *p = output->text;
	int n = 0;

	while ((p = strstr(p, what))) {
		n++;
		p += strlen(what);
	}
	return n;
}

FIXTURE(guard_map)
{
	struct output output;
	char *map;
	size_t page;
	char pid[16];
};

FIXTURE_SETUP(guard_map)
{
	if (access(GUARDMAP, X_OK))
		SKIP(return, "there is no " GUARDMAP);
	self->page = page_size();
	self->map = reserve((PAGES + 2) * self->page, 1) + self->page;
	backing_map(ANON_PRIVATE, self->map, PAGES * self->page, -1, 0);
	snprintf(self->pid, sizeof(self->pid), "%d", getpid());
}

FIXTURE_TEARDOWN(guard_map)
{
}

TEST_F(guard_map, ranges)
{
	char line[128];

	xmadvise(self->map + self->page, self->page, MADV_GUARD_INSTALL);
	xmadvise(self->map + 4 * self->page, 3 * self->page, MADV_GUARD_INSTALL);
	run(&self->output, self->pid);
	EXPECT_EQ(0, self->output.status);
	EXPECT_EQ(2, lines_with(&self->output, " kB  rw-p"));
	snprintf(line, sizeof(line), "  %lx-%lx %8zu kB  rw-p  in %lx-%lx ",
		 (long)self->map + self->page, (long)self->map + 2 * self->page,
		 self->page / 1024, (long)self->map,
		 (long)self->map + PAGES * self->page);
	EXPECT_EQ(1, lines_with(&self->output, line));
	snprintf(line, sizeof(line), "  %lx-%lx %8zu kB  rw-p",
		 (long)self->map + 4 * self->page, (long)self->map + 7 * self->page,
		 3 * self->page / 1024);
	EXPECT_EQ(1, lines_with(&self->output, line))
		TH_LOG("%s", self->output.text);
}

/* More ranges than one scan can tell of. */
TEST_F(guard_map, many_ranges)
{
	size_t len = 4000 * self->page, i;
	char *map = backing_map(ANON_SHARED, NULL, len, -1, 0);
	char command[64];

	for (i = 0; i < 1500; i++)
		xmadvise(map + 2 * i * self->page, self->page, MADV_GUARD_INSTALL);
	snprintf(command, sizeof(command), "--json %s | grep -c '\"end\"'",
		 self->pid);
	run(&self->output, command);
	/* The mapping has one, too. */
	EXPECT_EQ(1501, atoi(self->output.text))
		TH_LOG("%s", self->output.text);
}

TEST_F(guard_map, none)
{
	run(&self->output, self->pid);
	EXPECT_EQ(0, self->output.status);
	EXPECT_EQ(1, lines_with(&self->output, "  no guard regions\n"));

	/* The mapping may have some, but has none. */
	xmadvise(self->map, 2 * self->page, MADV_GUARD_INSTALL);
	xmadvise(self->map, 2 * self->page, MADV_GUARD_REMOVE);
	run(&self->output, self->pid);
	EXPECT_EQ(1, lines_with(&self->output, "  no guard regions\n"));
}

TEST_F(guard_map, json)
{
	char command[64], start[32];

	xmadvise(self->map + self->page, self->page, MADV_GUARD_INSTALL);
	snprintf(command, sizeof(command), "--json %s", self->pid);
	run(&self->output, command);
	EXPECT_EQ(0, self->output.status);
	snprintf(start, sizeof(start), "\"start\": %lu", (long)self->map + self->page);
	EXPECT_EQ(1, lines_with(&self->output, start))
		TH_LOG("%s", self->output.text);
	EXPECT_EQ('[', self->output.text[0]);
}

TEST_F(guard_map, all)
{
	char line[64];

	xmadvise(self->map + self->page, self->page, MADV_GUARD_INSTALL);
	snprintf(line, sizeof(line), "%s guard_map\n", self->pid);
	run(&self->output, "--all");
	EXPECT_EQ(0, self->output.status);
	/* No other process has guards, so that it is the first. */
	EXPECT_EQ(0, strncmp(self->output.text, line, strlen(line)))
		TH_LOG("%s", self->output.text);
}

TEST_F(guard_map, compare)
{
	char command[64];

	xmadvise(self->map + self->page, self->page, MADV_GUARD_INSTALL);
	snprintf(command, sizeof(command), "--compare %s", self->pid);
	run(&self->output, command);
	EXPECT_EQ(0, self->output.status);
	EXPECT_EQ(1, lines_with(&self->output, "  gu and scan: 1 mappings, "));
	EXPECT_EQ(1, lines_with(&self->output, "  scan of all: "))
		TH_LOG("%s", self->output.text);
}

TEST_F(guard_map, errors)
{
	static const char *const wrong[] = { "", "x", "0", "-1", "1 --all", "--nothing" };
	size_t i;

	run(&self->output, "4194305");
	EXPECT_EQ(1, self->output.status);
	EXPECT_STREQ("guardmap: no process 4194305\n", self->output.text);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		run(&self->output, wrong[i]);
		EXPECT_EQ(2, self->output.status)
			TH_LOG("'%s': %s", wrong[i], self->output.text);
	}
}

TEST_F(guard_map, no_permission)
{
	static const char refused[] =
		"guardmap: no permission to read process 1: it is of another user, or protected\n";
	static const char none[] = "guardmap: no process that may be read has guards\n";
	pid_t pid = fork();
	int status;

	ASSERT_LE(0, pid);
	if (!pid) {
		if (setgid(1000) || setuid(1000))
			_exit(2);
		run(&self->output, "1");
		if (self->output.status != 1 || strcmp(self->output.text, refused))
			_exit(1);
		/* Those that may be read are none, which is no error. */
		run(&self->output, "--all");
		_exit(self->output.status || strcmp(self->output.text, none) ? 3 : 0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
