// SPDX-License-Identifier: GPL-2.0
/*
 * The flags of VM_STICKY in mm/vma.c, in the tree's harness for that file.
 *
 * Each operation is done with every combination of VMAs with and without the
 * flag. The VMAs that come out must be the same for all combinations but for the
 * flag, and one has the flag if, and only if, a part of it had it before.
 */

#define main harness_main
#include "vma.c"
#undef main

#include "generated/vm_flags.h"
#include "scenario.h"

/* Changes of a VMA. The caller works out the flags first and writes them after, as mprotect() does. */

static struct vm_area_struct *prev_of(struct world *w, struct span range)
{
	return range.start > place[MIDDLE].start ? w->vma[MIDDLE] : w->vma[PREV];
}

static void modify_flags_to(struct world *w, struct span range, vm_flags_t flags)
{
	struct vm_area_struct *vma = vma_modify_flags(&w->vmi, prev_of(w, range), w->vma[MIDDLE],
						      range.start << PAGE_SHIFT,
						      range.end << PAGE_SHIFT, flags);

	if (!IS_ERR(vma))
		vm_flags_reset_once(vma, flags);
}

static void modify_flags(struct world *w, struct span range)
{
	modify_flags_to(w, range, w->vma[MIDDLE]->vm_flags ^ VM_SEQ_READ);
}

static void modify_flags_unaware(struct world *w, struct span range)
{
	modify_flags_to(w, range, (w->vma[MIDDLE]->vm_flags ^ VM_SEQ_READ) & ~VM_STICKY);
}

static void modify_name(struct world *w, struct span range)
{
	static struct anon_vma_name name;

	vma_modify_name(&w->vmi, prev_of(w, range), w->vma[MIDDLE], range.start << PAGE_SHIFT,
			range.end << PAGE_SHIFT, &name);
}

static void modify_policy(struct world *w, struct span range)
{
	static struct mempolicy policy;

	vma_modify_policy(&w->vmi, prev_of(w, range), w->vma[MIDDLE], range.start << PAGE_SHIFT,
			  range.end << PAGE_SHIFT, &policy);
}

static void modify_flags_uffd(struct world *w, struct span range)
{
	struct vm_userfaultfd_ctx ctx = {};
	vm_flags_t flags = (w->vma[MIDDLE]->vm_flags ^ VM_SEQ_READ) & ~VM_STICKY;
	struct vm_area_struct *vma = vma_modify_flags_uffd(&w->vmi, prev_of(w, range),
							   w->vma[MIDDLE],
							   range.start << PAGE_SHIFT,
							   range.end << PAGE_SHIFT, flags, ctx,
							   false);

	if (!IS_ERR(vma))
		vm_flags_reset(vma, flags);
}

/* VMAs that are new, larger, smaller, or elsewhere. */

static void merge_new_range(struct world *w, struct span range)
{
	VMG_STATE(vmg, &w->mm, &w->vmi, range.start << PAGE_SHIFT, range.end << PAGE_SHIFT,
		  BASE | w->new_sticky, range.start);

	vmg.next = vma_iter_next_rewind(&w->vmi, &vmg.prev);
	if (!vma_merge_new_range(&vmg) && !fail_prealloc)
		alloc_and_link_vma(&w->mm, range.start << PAGE_SHIFT, range.end << PAGE_SHIFT,
				   range.start, BASE | w->new_sticky);
}

static void map(struct world *w, struct span range)
{
	unsigned long start = range.start << PAGE_SHIFT;
	unsigned long len = (range.end - range.start) << PAGE_SHIFT;

	BUG_ON(__mmap_region(NULL, start, len, BASE, range.start, NULL) != start);
}

static void brk_up(struct world *w, struct span range)
{
	vma_iter_set(&w->vmi, w->vma[PREV]->vm_start);
	vma_iter_load(&w->vmi);
	BUG_ON(do_brk_flags(&w->vmi, w->vma[PREV], range.start << PAGE_SHIFT,
			    (range.end - range.start) << PAGE_SHIFT, BASE));
}

static void extend(struct world *w, struct span range)
{
	vma_merge_extend(&w->vmi, w->vma[PREV], (range.end - range.start) << PAGE_SHIFT);
}

static void expand(struct world *w, struct span range)
{
	VMG_STATE(vmg, &w->mm, &w->vmi, range.start << PAGE_SHIFT, range.end << PAGE_SHIFT, 0,
		  range.start);

	vmg.target = w->vma[PREV];
	vmg.next = w->vma[NEXT];
	BUG_ON(vma_expand(&vmg) != (fail_prealloc ? -ENOMEM : 0));
}

static void shrink(struct world *w, struct span range)
{
	BUG_ON(vma_shrink(&w->vmi, w->vma[PREV], range.start << PAGE_SHIFT,
			  range.end << PAGE_SHIFT, range.start));
}

static void unmap(struct world *w, struct span range)
{
	BUG_ON(do_vmi_munmap(&w->vmi, &w->mm, range.start << PAGE_SHIFT,
			     (range.end - range.start) << PAGE_SHIFT, NULL, false));
}

static void copy(struct world *w, struct span range)
{
	struct vm_area_struct *vma = w->vma[MIDDLE];
	bool need_rmap_locks;

	BUG_ON(!copy_vma(&vma, range.start << PAGE_SHIFT, (range.end - range.start) << PAGE_SHIFT,
			 range.start, &need_rmap_locks));
}

static const struct operation modifications[] = {
	{ "vma_modify_flags", modify_flags, .changes = VM_SEQ_READ },
	{ "vma_modify_flags without the flag", modify_flags_unaware, .changes = VM_SEQ_READ },
	{ "vma_modify_flags_uffd", modify_flags_uffd, .changes = VM_SEQ_READ },
	{ "vma_modify_name", modify_name },
	{ "vma_modify_policy", modify_policy },
};

static const struct operation new_op = { "vma_merge_new_range", merge_new_range, .brings = true };
static const struct operation map_op = { "mmap_region", map, .replaces = true, .sets = VM_SOFTDIRTY };
static const struct operation brk_op = { "do_brk_flags", brk_up, .sets = VM_SOFTDIRTY };
static const struct operation extend_op = { "vma_merge_extend", extend };
static const struct operation expand_op = { "vma_expand", expand };
static const struct operation shrink_op = { "vma_shrink", shrink };
static const struct operation unmap_op = { "do_vmi_munmap", unmap };
static const struct operation copy_op = { "copy_vma", copy, .brings = true };

/* All that vma_merge_existing_range() tells apart, and each split without a merge. */
static const struct scenario modified[] = {
	{ "both sides", { BASE, BASE, BASE }, { 13, 17 }, { { 10, 20 } } },
	{ "left side, all", { BASE, BASE, OTHER }, { 13, 17 }, { { 10, 17 }, { 17, 20 } } },
	{ "left side, all, nothing right", { BASE, BASE }, { 13, 17 }, { { 10, 17 } } },
	{ "left side, a part", { BASE, BASE, BASE }, { 13, 15 }, { { 10, 15 }, { 15, 17 }, { 17, 20 } } },
	{ "right side, all", { OTHER, BASE, BASE }, { 13, 17 }, { { 10, 13 }, { 13, 20 } } },
	{ "right side, all, nothing left", { 0, BASE, BASE }, { 13, 17 }, { { 13, 20 } } },
	{ "right side, a part", { BASE, BASE, BASE }, { 15, 17 }, { { 10, 13 }, { 13, 15 }, { 15, 20 } } },
	{ "next stays", { BASE, BASE, BASE }, { 13, 17 }, { { 10, 17 }, { 17, 20 } },
	  .has_close = BIT(NEXT) },
	{ "middle stays", { BASE, BASE, BASE }, { 13, 17 }, { { 10, 13 }, { 13, 17 }, { 17, 20 } },
	  .has_close = BIT(MIDDLE) },
	{ "no side, all", { OTHER, BASE, OTHER }, { 13, 17 }, { { 10, 13 }, { 13, 17 }, { 17, 20 } } },
	{ "nothing beside", { 0, BASE }, { 13, 17 }, { { 13, 17 } } },
	{ "no side, head", { OTHER, BASE, BASE }, { 13, 15 },
	  { { 10, 13 }, { 13, 15 }, { 15, 17 }, { 17, 20 } } },
	{ "no side, tail", { BASE, BASE, OTHER }, { 15, 17 },
	  { { 10, 13 }, { 13, 15 }, { 15, 17 }, { 17, 20 } } },
	{ "no side, inside", { BASE, BASE, BASE }, { 14, 16 },
	  { { 10, 13 }, { 13, 14 }, { 14, 16 }, { 16, 17 }, { 17, 20 } } },
};

static const struct scenario grown[] = {
	{ "both sides", { BASE, 0, BASE }, { 13, 17 }, { { 10, 20 } }, &new_op },
	{ "left side", { BASE, 0, OTHER }, { 13, 17 }, { { 10, 17 }, { 17, 20 } }, &new_op },
	{ "left side, nothing right", { BASE }, { 13, 17 }, { { 10, 17 } }, &new_op },
	{ "right side", { OTHER, 0, BASE }, { 13, 17 }, { { 10, 13 }, { 13, 20 } }, &new_op },
	{ "right side, nothing left", { 0, 0, BASE }, { 13, 17 }, { { 13, 20 } }, &new_op },
	{ "next stays", { BASE, 0, BASE }, { 13, 17 }, { { 10, 17 }, { 17, 20 } }, &new_op,
	  .has_close = BIT(NEXT) },
	{ "no side", { OTHER, 0, OTHER }, { 13, 17 }, { { 10, 13 }, { 13, 17 }, { 17, 20 } }, &new_op },
	{ "nothing beside", { 0 }, { 13, 17 }, { { 13, 17 } }, &new_op },
	{ "into a gap", { BASE, 0, BASE }, { 13, 15 }, { { 10, 15 }, { 17, 20 } }, &extend_op },
	{ "up to next", { BASE, 0, BASE }, { 13, 17 }, { { 10, 20 } }, &extend_op },
	{ "up to another", { BASE, 0, OTHER }, { 13, 17 }, { { 10, 17 }, { 17, 20 } }, &extend_op },
	{ "at the end", { BASE }, { 10, 17 }, { { 10, 17 } }, &expand_op },
	{ "at the start", { BASE }, { 7, 13 }, { { 7, 13 } }, &expand_op },
	{ "over next", { BASE, 0, BASE }, { 10, 20 }, { { 10, 20 } }, &expand_op },
};

static const struct scenario others[] = {
	{ "a gap, both sides", { BASE, 0, BASE }, { 13, 17 }, { { 10, 20 } }, &map_op },
	{ "a gap, no side", { OTHER, 0, OTHER }, { 13, 17 }, { { 10, 13 }, { 13, 17 }, { 17, 20 } }, &map_op },
	{ "over middle, both sides", { BASE, BASE, BASE }, { 13, 17 }, { { 10, 20 } }, &map_op },
	{ "over middle, left side", { BASE, BASE, OTHER }, { 13, 17 }, { { 10, 17 }, { 17, 20 } }, &map_op },
	{ "over middle, right side", { OTHER, BASE, BASE }, { 13, 17 }, { { 10, 13 }, { 13, 20 } }, &map_op },
	{ "over middle, no side", { OTHER, BASE, OTHER }, { 13, 17 },
	  { { 10, 13 }, { 13, 17 }, { 17, 20 } }, &map_op },
	{ "over parts of all", { BASE, BASE, BASE }, { 12, 18 }, { { 10, 20 } }, &map_op },
	{ "into a gap", { BASE, 0, BASE }, { 13, 15 }, { { 10, 15 }, { 17, 20 } }, &brk_op },
	{ "up to next", { BASE, 0, BASE }, { 13, 17 }, { { 10, 17 }, { 17, 20 } }, &brk_op },
	{ "beside another", { OTHER }, { 13, 17 }, { { 10, 13 }, { 13, 17 } }, &brk_op },
	{ "at the end", { BASE }, { 10, 12 }, { { 10, 12 } }, &shrink_op },
	{ "at the start", { BASE }, { 11, 13 }, { { 11, 13 } }, &shrink_op },
	{ "inside", { 0, BASE }, { 14, 15 }, { { 13, 14 }, { 15, 17 } }, &unmap_op },
	{ "parts of all", { BASE, BASE, BASE }, { 12, 18 }, { { 10, 12 }, { 18, 20 } }, &unmap_op },
	{ "both sides", { BASE, BASE, BASE }, { 13, 17 }, { { 10, 20 }, { 30, 34 } }, &copy_op,
	  .middle_is_far = true },
	{ "left side", { BASE, BASE, OTHER }, { 13, 17 }, { { 10, 17 }, { 17, 20 }, { 30, 34 } }, &copy_op,
	  .middle_is_far = true },
	{ "right side", { OTHER, BASE, BASE }, { 13, 17 }, { { 10, 13 }, { 13, 20 }, { 30, 34 } }, &copy_op,
	  .middle_is_far = true },
	{ "no side", { OTHER, BASE, OTHER }, { 13, 17 },
	  { { 10, 13 }, { 13, 17 }, { 17, 20 }, { 30, 34 } }, &copy_op, .middle_is_far = true },
};

static void test_modified(void)
{
	for (int i = 0; i < ARRAY_SIZE(modified); i++) {
		for (int op = 0; op < ARRAY_SIZE(modifications); op++) {
			struct scenario s = modified[i];

			s.operation = &modifications[op];
			check_all(&s);
			check_out_of_memory(&s);
		}
	}
}

static void test_grown(void)
{
	for (int i = 0; i < ARRAY_SIZE(grown); i++) {
		check_all(&grown[i]);
		check_out_of_memory(&grown[i]);
	}
}

static void test_others(void)
{
	for (int i = 0; i < ARRAY_SIZE(others); i++)
		check_all(&others[i]);
}

/* A difference in any other flag keeps VMAs apart. */
static void test_no_other_flag_is_ignored(void)
{
	static const struct operation *const ops[] = { &modifications[0], &modifications[3], &new_op };

	for (vm_flags_t flag = 1; flag; flag <<= 1) {
		if (flag & VM_STICKY)
			continue;
		for (int op = 0; op < ARRAY_SIZE(ops); op++) {
			struct scenario s = {
				.name = "neighbours differ in a flag",
				.flags = { BASE ^ flag, ops[op]->brings ? 0 : BASE, BASE ^ flag },
				.range = place[MIDDLE],
				.result = { place[PREV], place[MIDDLE], place[NEXT] },
				.operation = ops[op],
			};

			check(&s, no_anon);
		}
	}
}

/* A page fault takes the anon_vma of a neighbour, so that the two can be merged later. */
static void test_anon_vma_is_shared(void)
{
	static struct world w;

	for (vm_flags_t flag = 1; flag; flag <<= 1) {
		bool shared = flag & VM_ACCESS_FLAGS;
		struct scenario s = {
			.flags = { BASE ^ flag, BASE, BASE ^ flag },
			.operation = &modifications[3],
		};

		/* Differs by the marks alone. */
		if (flag & VM_STICKY) {
			s.flags[PREV] = s.flags[NEXT] = BASE;
			shared = true;
		}
		for (unsigned int marked = 0; marked < BIT(PARTS); marked++) {
			for (int part = PREV; part <= NEXT; part += NEXT - PREV) {
				enum anon anon[PARTS] = {};
				struct anon_vma *found;

				anon[part] = ANON_A;
				create(&w, &s, marked, anon);
				found = find_mergeable_anon_vma(w.vma[MIDDLE]);
				cleanup_mm(&w.mm, &w.vmi);
				if (found == (shared ? &w.anon[ANON_A] : NULL))
					continue;
				failures++;
				fprintf(stderr, "flag %lx, marked %x: anon_vma of %d %sshared\n",
					flag, marked, part, shared ? "not " : "");
			}
		}
	}
}

/* To write flags takes none of VM_STICKY away. */
static void test_reset(void)
{
	void (*const resets[])(struct vm_area_struct *, vm_flags_t) = {
		vm_flags_reset, vm_flags_reset_once,
	};

	for (int i = 0; i < ARRAY_SIZE(resets); i++) {
		for (int marked = 0; marked < 2; marked++) {
			for (vm_flags_t flag = 1; flag; flag <<= 1) {
				vm_flags_t had = marked ? sticky : 0;
				struct vm_area_struct vma = { .__vm_flags = BASE | had };

				resets[i](&vma, flag);
				if (vma.vm_flags == (flag | had))
					continue;
				failures++;
				fprintf(stderr, "reset %d: %lx instead of %lx\n", i, vma.vm_flags,
					flag | had);
			}
		}
	}
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{ "modified", test_modified },
		{ "grown", test_grown },
		{ "others", test_others },
		{ "no other flag is ignored", test_no_other_flag_is_ignored },
		{ "anon_vma is shared", test_anon_vma_is_shared },
		{ "reset", test_reset },
	};
	static const vm_flags_t flags[] = { VM_MAYBE_GUARD, VM_SOFTDIRTY };
	int run = 0, failed = 0;

	maple_tree_init();
	vma_state_init();

	for (int flag = 0; flag < ARRAY_SIZE(flags); flag++) {
		sticky = flags[flag];
		for (int i = 0; i < ARRAY_SIZE(tests); i++) {
			failures = 0;
			tests[i].run();
			run++;
			if (failures) {
				fprintf(stderr, "%s, flag %lx: %d failures\n", tests[i].name, sticky,
					failures);
				failed++;
			}
		}
	}
	printf("%d tests run, %d passed, %d failed.\n", run, run - failed, failed);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
