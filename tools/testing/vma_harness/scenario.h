/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Runs one operation of mm/vma.c with every combination of VMAs with and
 * without a flag of VM_STICKY, and compares what comes out.
 */
#ifndef _SCENARIO_H
#define _SCENARIO_H

/* The VMAs before an operation: each is a bit in "marked", too. */
enum { PREV, MIDDLE, NEXT, PARTS };

#define BASE	(VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT)
#define OTHER	(BASE | VM_SEQ_READ)

#define MAX_VMAS	6

/* In pages. */
struct span {
	unsigned long start;
	unsigned long end;
};

static const struct span place[PARTS] = { { 10, 13 }, { 13, 17 }, { 17, 20 } };
/* Of MIDDLE where it is not between the others. */
static const struct span far_place = { 30, 34 };

enum anon { NO_ANON, ANON_A, ANON_B, ANON_FORKED, ANON_STATES };

struct world {
	struct mm_struct mm;
	struct vma_iterator vmi;
	struct vm_area_struct *vma[PARTS];
	struct anon_vma anon[ANON_STATES];
	struct anon_vma_chain chain[PARTS];
	/* The flag of what is not there before the operation. */
	vm_flags_t new_sticky;
};

struct operation {
	const char *name;
	void (*run)(struct world *w, struct span range);
	/* MIDDLE differs in this flag until the operation. */
	vm_flags_t changes;
	/* The range gets what MIDDLE may hold. */
	bool brings;
	/* What was in the range is unmapped first. */
	bool replaces;
	/* The range gets these anyway. */
	vm_flags_t sets;
};

struct scenario {
	const char *name;
	/* 0: it is not there. */
	vm_flags_t flags[PARTS];
	struct span range;
	/* Without anon_vmas. */
	struct span result[MAX_VMAS];
	const struct operation *operation;
	/* This part cannot be removed by a merge. */
	unsigned int has_close;
	bool middle_is_far;
};

struct layout {
	unsigned long count;
	struct {
		struct span range;
		pgoff_t pgoff;
		vm_flags_t flags;
		struct anon_vma *anon_vma;
	} vma[MAX_VMAS];
};

static const struct vm_operations_struct ops_with_close = { .close = dummy_close };
static const enum anon no_anon[PARTS];
/* The flag that the marked VMAs have. */
static vm_flags_t sticky;
static int failures;

static struct span range_of(const struct scenario *s, int part)
{
	return part == MIDDLE && s->middle_is_far ? far_place : place[part];
}

static void set_anon_vma(struct world *w, int part, enum anon anon)
{
	struct vm_area_struct *vma = w->vma[part];

	if (!vma || anon == NO_ANON)
		return;
	vma->anon_vma = &w->anon[anon == ANON_FORKED ? ANON_A : anon];
	/* A chain that does not have just one entry is that of a forked child. */
	if (anon != ANON_FORKED)
		list_add(&w->chain[part].same_vma, &vma->anon_vma_chain);
	w->chain[part].anon_vma = vma->anon_vma;
}

static void create(struct world *w, const struct scenario *s, unsigned int marked,
		   const enum anon anon[PARTS])
{
	memset(w, 0, sizeof(*w));
	vma_iter_init(&w->vmi, &w->mm, 0);
	current->mm = &w->mm;
	/* More than any test unmaps. */
	w->mm.total_vm = 100;
	w->mm.data_vm = 100;
	w->new_sticky = marked & BIT(MIDDLE) ? sticky : 0;

	for (int part = 0; part < PARTS; part++) {
		struct span at = range_of(s, part);
		vm_flags_t flags = s->flags[part];

		if (!flags)
			continue;
		if (part == MIDDLE)
			flags ^= s->operation->changes;
		if (marked & BIT(part))
			flags |= sticky;
		w->vma[part] = alloc_and_link_vma(&w->mm, at.start << PAGE_SHIFT,
						  at.end << PAGE_SHIFT, at.start, flags);
		if (s->has_close & BIT(part))
			w->vma[part]->vm_ops = &ops_with_close;
		set_anon_vma(w, part, anon[part]);
	}
}

static void read_layout(struct world *w, struct layout *layout)
{
	struct vm_area_struct *vma;

	memset(layout, 0, sizeof(*layout));
	vma_iter_set(&w->vmi, 0);
	for_each_vma(w->vmi, vma) {
		BUG_ON(layout->count == MAX_VMAS);
		layout->vma[layout->count].range.start = vma->vm_start >> PAGE_SHIFT;
		layout->vma[layout->count].range.end = vma->vm_end >> PAGE_SHIFT;
		layout->vma[layout->count].pgoff = vma->vm_pgoff;
		layout->vma[layout->count].flags = vma->vm_flags;
		layout->vma[layout->count].anon_vma = vma->anon_vma;
		layout->count++;
	}
	BUG_ON(layout->count != w->mm.map_count);
}

static void run(struct world *w, const struct scenario *s)
{
	vma_iter_set(&w->vmi, s->range.start << PAGE_SHIFT);
	s->operation->run(w, s->range);
}

static void explain(const struct scenario *s, unsigned int marked, const enum anon anon[PARTS],
		    const struct layout *found, const char *why)
{
	failures++;
	fprintf(stderr, "%s: %s: flag %lx of %c%c%c, anon_vmas %d%d%d: %s:", s->operation->name,
		s->name, sticky, marked & BIT(PREV) ? 'p' : '-', marked & BIT(MIDDLE) ? 'm' : '-',
		marked & BIT(NEXT) ? 'n' : '-', anon[PREV], anon[MIDDLE], anon[NEXT], why);
	for (int i = 0; i < found->count; i++)
		fprintf(stderr, " %lu-%lu(%lx)", found->vma[i].range.start, found->vma[i].range.end,
			found->vma[i].flags);
	fputc('\n', stderr);
}

static bool overlap(struct span a, struct span b)
{
	return max(a.start, b.start) < min(a.end, b.end);
}

/* What is left of a part when the range, which is not inside it, is replaced. */
static struct span outside(struct span part, struct span range)
{
	if (part.start < range.start)
		part.end = min(part.end, range.start);
	else
		part.start = max(part.start, range.end);
	return part;
}

static bool may_have_flag(const struct scenario *s, unsigned int marked, struct span range)
{
	if ((s->operation->sets & sticky) && overlap(s->range, range))
		return true;
	if (s->operation->brings && (marked & BIT(MIDDLE)) && overlap(s->range, range))
		return true;
	for (int part = 0; part < PARTS; part++) {
		struct span at = range_of(s, part);

		if (s->operation->replaces)
			at = outside(at, s->range);
		if (s->flags[part] && (marked & BIT(part)) && overlap(at, range))
			return true;
	}
	return false;
}

static bool has_result(const struct layout *layout, const struct scenario *s)
{
	for (int i = 0; i < MAX_VMAS; i++)
		if (layout->vma[i].range.start != s->result[i].start ||
		    layout->vma[i].range.end != s->result[i].end)
			return false;
	return true;
}

/* The addresses of anon_vmas are those of the one world that all tests use. */
static bool differ_in_flag_only(const struct layout *a, const struct layout *b)
{
	struct layout x = *a, y = *b;

	for (int i = 0; i < MAX_VMAS; i++) {
		x.vma[i].flags &= ~sticky;
		y.vma[i].flags &= ~sticky;
	}
	return !memcmp(&x, &y, sizeof(x));
}

static void check(const struct scenario *s, const enum anon anon[PARTS])
{
	static struct world w;
	struct layout unmarked, found;

	for (unsigned int marked = 0; marked < BIT(PARTS); marked++) {
		create(&w, s, marked, anon);
		run(&w, s);
		read_layout(&w, &found);
		cleanup_mm(&w.mm, &w.vmi);

		if (!marked)
			unmarked = found;
		if (!memcmp(anon, no_anon, sizeof(no_anon)) && !has_result(&found, s))
			explain(s, marked, anon, &found, "not the VMAs that were expected");
		if (!differ_in_flag_only(&unmarked, &found))
			explain(s, marked, anon, &found, "not as without the flag");
		for (int i = 0; i < found.count; i++)
			if (!!(found.vma[i].flags & sticky) !=
			    may_have_flag(s, marked, found.vma[i].range))
				explain(s, marked, anon, &found, "wrong flag");
	}
}

/* With every state of the anon_vmas. */
static void check_all(const struct scenario *s)
{
	for (int i = 0; i < ANON_STATES * ANON_STATES * ANON_STATES; i++) {
		enum anon anon[PARTS] = {
			i % ANON_STATES, i / ANON_STATES % ANON_STATES, i / ANON_STATES / ANON_STATES,
		};

		check(s, anon);
	}
}

/* Without memory nothing changes, not even the flag. */
static void check_out_of_memory(const struct scenario *s)
{
	static struct world w;
	struct layout before, after;

	for (unsigned int marked = 0; marked < BIT(PARTS); marked++) {
		create(&w, s, marked, no_anon);
		read_layout(&w, &before);
		fail_prealloc = true;
		run(&w, s);
		read_layout(&w, &after);
		cleanup_mm(&w.mm, &w.vmi);
		/* What neither merges nor splits needs no memory. */
		if (!has_result(&before, s) && memcmp(&before, &after, sizeof(before)))
			explain(s, marked, no_anon, &after, "changed without memory");
	}
}

#endif /* _SCENARIO_H */
