// SPDX-License-Identifier: GPL-2.0
/* The system calls that mm/rust_vma.rs handles. */

#include <linux/mm.h>
#include <linux/rust_vma.h>
#include <linux/sched.h>
#include <linux/syscalls.h>

SYSCALL_DEFINE3(madvise, unsigned long, start, size_t, len_in, int, behavior)
{
	return do_madvise(current->mm, start, len_in, behavior);
}

SYSCALL_DEFINE5(process_madvise, int, pidfd, const struct iovec __user *, vec,
		size_t, vlen, int, behavior, unsigned int, flags)
{
	return vma_process_madvise(pidfd, vec, vlen, behavior, flags);
}
