// SPDX-License-Identifier: GPL-2.0
/* The system call. */

#include "helpers.h"

#ifndef CONFIG_MULTIUSER
bool rust_helper_capable(int cap)
{
	return capable(cap);
}
#endif

#ifndef CONFIG_BLOCK
void rust_helper_blk_start_plug(struct blk_plug *plug)
{
	blk_start_plug(plug);
}

void rust_helper_blk_finish_plug(struct blk_plug *plug)
{
	blk_finish_plug(plug);
}
#endif

bool rust_helper_need_resched(void)
{
	return need_resched();
}

void rust_helper_cond_resched(void)
{
	cond_resched();
}

unsigned long rust_helper_untagged_addr(unsigned long addr)
{
	return untagged_addr(addr);
}

unsigned long rust_helper_untagged_addr_remote(struct mm_struct *mm, unsigned long addr)
{
	return untagged_addr_remote(mm, addr);
}

int rust_helper_restart_syscall(void)
{
	return restart_syscall();
}

int rust_helper_fatal_signal_pending(struct task_struct *task)
{
	return fatal_signal_pending(task);
}

size_t rust_helper_iov_iter_count(const struct iov_iter *iter)
{
	return iov_iter_count(iter);
}

unsigned long rust_helper_iter_iov_addr(const struct iov_iter *iter)
{
	return (unsigned long)iter_iov_addr(iter);
}

size_t rust_helper_iter_iov_len(const struct iov_iter *iter)
{
	return iter_iov_len(iter);
}
