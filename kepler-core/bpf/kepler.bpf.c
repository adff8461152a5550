// SPDX-License-Identifier: MIT OR GPL-2.0-only
/* Who ran on which processor, and for how long, from the scheduler's own tracepoints.
 *
 * Time is the kernel's own: a thread's `se.sum_exec_runtime`, brought up to date just before the tracepoint, is what CPU
 * clocks, getrusage and cgroup accounting show as well. Interrupts and time stolen by a hypervisor are in none of them.
 *
 * Work is recorded by process and CPU domain: a group of like processors (or a single one, as user space chooses).
 * There are two sets of tables. The number of the epoch, which user space raises once a tick, says which of them is
 * written; the other one is then quiet, and user space empties it. So only processes that ran cost anything, nothing is
 * added to an entry while it is taken out, and no table fills up over time.
 *
 * A process that exits is taken out of its table at its very last switch, so that its last slice is in it. User space
 * gets it by number if it may know the process (it was born before the last tick), else as part of a sum by command and
 * cgroup: however many processes start and exit, the sums stay few. What does not fit into the table of processes goes
 * to such a sum; what does not fit there either is counted as lost. */
#include "kernel.h"

#define EVENTS 3
#define MOST_DOMAINS 64
#define EXECUTED 1
/* MAX_RT_PRIO */
#define FIRST_ORDINARY_PRIORITY 100

/* Set before the program is loaded. */
const volatile u32 domains = 1;
/* Which hardware events are counted, a bit each: cycles, instructions, misses of the last-level cache. */
const volatile u32 counted = 0;
/* Whether CPU time is accounted for by the cpuacct controller of cgroup version 1. */
const volatile u32 cgroup_v1 = 0;
/* Whether the kernel gives the current task as something that may be read like any memory: since 5.11. */
const volatile u32 has_current = 0;

struct work {
	u64 time_ns;
	u64 events[EVENTS];
};

struct task_key {
	u32 tgid;
	u32 domain;
};

struct task {
	struct work work;
	/* When the process was born, on the boot clock. */
	u64 start;
	u64 cgroup;
	char comm[16];
	u64 flags;
};

struct ended_key {
	u32 tgid;
	u32 domain;
	u64 start;
};

struct group_key {
	char comm[16];
	u64 cgroup;
	u64 domain;
};

struct group {
	struct work work;
	u64 processes;
};

/* A process of which all threads are on their way out. */
struct dying {
	u64 start;
	u64 cgroup;
	char comm[16];
	/* The thread that began to exit last: with its last switch the process is over. */
	u64 thread;
};

struct reading {
	u64 count;
	u64 enabled;
	u64 running;
};

/* What goes on on one processor. Written by that processor alone. */
struct cpu {
	/* Switches that have been recorded, and (at the end) those begun. User space reads from front to back: where both are
	 * equal, no switch came in between. It also waits for that before it empties the tables of the epoch before. */
	u64 recorded;
	/* The running thread: process number in the upper half, thread number in the lower; 0 when idle. */
	u64 running;
	u64 task;
	/* The running thread's CPU time when it was switched to. */
	u64 sum;
	/* The thread that idles, once it has been seen: of it nothing has to be read. */
	u64 idle;
	struct reading readings[EVENTS];
	/* Slices that did not fit into the table of processes. */
	u64 overflowed;
	/* Slices that fit nowhere, and their time. */
	u64 lost;
	u64 lost_ns;
	/* Exits of processes that could not be reported. */
	u64 unreported;
	/* Hardware counters that could not be read. */
	u64 unread;
	u64 domain;
	u64 begun;
};

/* Written by user space. */
struct control {
	u64 epoch;
	/* On the boot clock: those born before may be known to user space. */
	u64 known_before;
};

struct {
	NUMBER(type, MAP_ARRAY);
	NUMBER(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, struct control);
} control SEC(".maps");

struct {
	NUMBER(type, MAP_PERCPU_ARRAY);
	NUMBER(max_entries, 1);
	TYPE(key, u32);
	TYPE(value, struct cpu);
} cpus SEC(".maps");

struct {
	NUMBER(type, MAP_HASH);
	NUMBER(max_entries, 4096);
	TYPE(key, u32);
	TYPE(value, struct dying);
} dying SEC(".maps");

struct tasks {
	NUMBER(type, MAP_HASH);
	NUMBER(max_entries, 16384);
	TYPE(key, struct task_key);
	TYPE(value, struct task);
} tasks_even SEC(".maps"), tasks_odd SEC(".maps");

struct endeds {
	NUMBER(type, MAP_HASH);
	NUMBER(max_entries, 8192);
	TYPE(key, struct ended_key);
	TYPE(value, struct task);
} ended_even SEC(".maps"), ended_odd SEC(".maps");

struct groups {
	NUMBER(type, MAP_HASH);
	NUMBER(max_entries, 8192);
	TYPE(key, struct group_key);
	TYPE(value, struct group);
} groups_even SEC(".maps"), groups_odd SEC(".maps");

/* One event a processor; the number of processors is set when it is loaded. */
struct events {
	NUMBER(type, MAP_PERF_EVENT_ARRAY);
	NUMBER(max_entries, 1);
	NUMBER(key_size, 4);
	NUMBER(value_size, 4);
} cycles SEC(".maps"), instructions SEC(".maps"), misses SEC(".maps");

/* The tables of an epoch, and what a switch is recorded by. */
struct tables {
	void *tasks;
	void *ended;
	void *groups;
	u64 known_before;
	/* Whether the thread that is switched from is on its way out. */
	u64 is_exiting;
};

ALWAYS_INLINE struct cpu *this_cpu(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&cpus, &zero);
}

ALWAYS_INLINE struct control *settings(void)
{
	u32 zero = 0;
	return bpf_map_lookup_elem(&control, &zero);
}

ALWAYS_INLINE void add(struct work *to, const struct work *work)
{
	__sync_fetch_and_add(&to->time_ns, work->time_ns);
	if (!counted)
		return;
	for (int event = 0; event < EVENTS; event++)
		__sync_fetch_and_add(&to->events[event], work->events[event]);
}

/* The cgroup that `task`, the current one, is accounted for in. */
ALWAYS_INLINE u64 cgroup_of(struct task_struct *task)
{
	if (!cgroup_v1)
		return bpf_get_current_cgroup_id();
	struct css_set *set = 0;
	struct cgroup_subsys_state *state = 0;
	struct cgroup *cgroup = 0;
	struct kernfs_node *node = 0;
	u64 id = 0;
	READ(set, task, cgroups);
	const char *states = (const char *)__builtin_preserve_access_index(&set->subsys);
	u64 number = __builtin_preserve_enum_value(*(typeof(enum cgroup_subsys_id) *)cpuacct_cgrp_id, 1);
	bpf_probe_read_kernel(&state, sizeof(state), states + number * sizeof(void *));
	READ(cgroup, state, cgroup);
	READ(node, cgroup, kn);
	READ(id, node, id);
	return id;
}

/* Adds to the sum of a command and cgroup. */
ALWAYS_INLINE void add_to_group(void *groups, struct cpu *cpu, const struct group_key *key, const struct group *part)
{
	struct group *group = bpf_map_lookup_elem(groups, key);
	if (!group) {
		long error = bpf_map_update_elem(groups, key, part, NO_EXIST);
		if (!error)
			return;
		/* Another processor may have been quicker. */
		group = bpf_map_lookup_elem(groups, key);
	}
	if (group) {
		add(&group->work, &part->work);
		__sync_fetch_and_add(&group->processes, part->processes);
	} else {
		cpu->lost++;
		cpu->lost_ns += part->work.time_ns;
	}
}

/* Whether the exit of the process of `leader` has been reported already, and a thread of it that is on its way out was
 * switched to once more. On kernels that report exits late (before 6.16 after the memory is torn down) this is also so
 * for a moment before: then the slice goes to the sum of its command. */
ALWAYS_INLINE int is_over(struct task_struct *leader, u32 tgid, u64 start)
{
	struct dying *found = bpf_map_lookup_elem(&dying, &tgid);
	if (found && found->start == start)
		return 0;
	struct signal_struct *signal = 0;
	int live = 0;
	READ(signal, leader, signal);
	READ(live, signal, live.counter);
	return live <= 0;
}

/* The first slice of a process in this epoch, in this domain. */
NO_INLINE int begin(struct tables *tables, struct cpu *cpu, struct task_struct *task, const struct task_key *key,
		    const struct work *work)
{
	struct task fresh = {};
	struct task_struct *leader = 0;
	fresh.work = *work;
	fresh.cgroup = cgroup_of(task);
	READ(leader, task, group_leader);
	READ(fresh.start, leader, start_boottime);
	READ(fresh.comm, leader, comm);
	if (!tables->is_exiting || !is_over(leader, key->tgid, fresh.start)) {
		if (!bpf_map_update_elem(tables->tasks, key, &fresh, NO_EXIST))
			return 0;
		struct task *other = bpf_map_lookup_elem(tables->tasks, key);
		if (other) {
			add(&other->work, work);
			return 0;
		}
		cpu->overflowed++;
	}
	struct group_key group = {};
	struct group part = {};
	__builtin_memcpy(group.comm, fresh.comm, sizeof(group.comm));
	group.cgroup = fresh.cgroup;
	group.domain = key->domain;
	part.work = *work;
	add_to_group(tables->groups, cpu, &group, &part);
	return 0;
}

/* The last switch of a thread: if it is that of the process, takes this out of its table. */
NO_INLINE int end(struct tables *tables, struct cpu *cpu, struct task_struct *task, u32 tgid)
{
	struct dying *found = bpf_map_lookup_elem(&dying, &tgid);
	if (!found)
		return 0; /* Other threads live on. */
	struct dying process = *found;
	struct task_struct *leader = 0;
	u64 start = 0;
	u32 thread = 0;
	READ(leader, task, group_leader);
	READ(start, leader, start_boottime);
	if (start != process.start) {
		/* It is of a process that had the number before, whose last switch was not seen. */
		bpf_map_delete_elem(&dying, &tgid);
		cpu->unreported++;
		return 0;
	}
	READ(thread, task, pid);
	if (thread != process.thread)
		return 0; /* Others are on their way still. */
	struct group_key group = {};
	__builtin_memcpy(group.comm, process.comm, sizeof(group.comm));
	group.cgroup = process.cgroup;
	int may_be_known = process.start < tables->known_before, is_reported = 0;
	group.domain = 0;
	u64 processes = 1;
	struct ended_key by_number = { .tgid = tgid, .start = process.start };
	for (u32 domain = 0; domain < MOST_DOMAINS && domain < domains; domain++) {
		struct task_key key = { .tgid = tgid, .domain = domain };
		struct task *known = bpf_map_lookup_elem(tables->tasks, &key);
		if (!known)
			continue;
		int is_recorded = 0;
		if (may_be_known) {
			struct task last = *known;
			last.cgroup = process.cgroup;
			__builtin_memcpy(last.comm, process.comm, sizeof(last.comm));
			by_number.domain = domain;
			is_recorded = !bpf_map_update_elem(tables->ended, &by_number, &last, ANY);
			is_reported |= is_recorded;
		}
		if (!is_recorded) {
			struct group part = {};
			part.work = known->work;
			part.processes = processes;
			group.domain = domain;
			add_to_group(tables->groups, cpu, &group, &part);
			processes = 0;
		}
		bpf_map_delete_elem(tables->tasks, &key);
	}
	if (may_be_known && !is_reported) {
		/* All of its slices had to go elsewhere. That it has exited is reported all the same. */
		struct task last = { .cgroup = process.cgroup, .start = process.start };
		__builtin_memcpy(last.comm, process.comm, sizeof(last.comm));
		by_number.domain = 0;
		if (bpf_map_update_elem(tables->ended, &by_number, &last, ANY))
			cpu->unreported++;
	}
	bpf_map_delete_elem(&dying, &tgid);
	return 0;
}

/* Whether the thread that is switched from, which is still the current one, is on its way out. It has the mark itself, so
 * that nothing has to be marked for it in the tables: other processors write to those at the same time. */
ALWAYS_INLINE int is_exiting(struct task_struct *task)
{
	u32 flags = 0;
	if (has_current)
		flags = bpf_get_current_task_btf()->flags;
	else
		READ(flags, task, flags);
	return (flags & PF_EXITING) != 0;
}

/* The thread `task` has worked on this processor and is now switched from. */
ALWAYS_INLINE void record(void *tasks, void *ended, void *groups, struct cpu *cpu, struct task_struct *task, u32 tgid,
			  const struct work *work, u64 known_before)
{
	struct task_key key = { .tgid = tgid, .domain = cpu->domain };
	struct task *known = bpf_map_lookup_elem(tasks, &key);
	int exiting = is_exiting(task);
	/* Nearly all switches end here. */
	if (known) {
		add(&known->work, work);
		if (!exiting)
			return;
	}
	struct tables tables = { tasks, ended, groups, known_before, exiting };
	if (!known)
		begin(&tables, cpu, task, &key, work);
	if (!exiting)
		return;
	int exit_state = 0;
	READ(exit_state, task, exit_state);
	if (exit_state)
		end(&tables, cpu, task, tgid);
}

/* How many events were counted since the last reading, scaled up where the counter had to be shared. */
ALWAYS_INLINE u64 advance(void *events, struct cpu *cpu, struct reading *last)
{
	struct reading now = {};
	if (bpf_perf_event_read_value(events, CURRENT_CPU, &now, sizeof(now))) {
		cpu->unread++;
		return 0;
	}
	u64 count = now.count - last->count;
	u64 enabled = now.enabled - last->enabled, running = now.running - last->running;
	*last = now;
	if (running && running < enabled)
		count = (count * ((enabled << 10) / running)) >> 10;
	return count;
}

SEC("raw_tp/sched_switch")
int on_switch(u64 *arguments)
{
	struct task_struct *previous = (void *)arguments[1], *next = (void *)arguments[2];
	struct control *control = settings();
	struct cpu *cpu = this_cpu();
	if (!control || !cpu)
		return 0;
	*(volatile u64 *)&cpu->begun = cpu->begun + 1;
	u64 epoch = *(volatile u64 *)&control->epoch;

	struct work work = {};
	if (counted & 1)
		work.events[0] = advance(&cycles, cpu, &cpu->readings[0]);
	if (counted & 2)
		work.events[1] = advance(&instructions, cpu, &cpu->readings[1]);
	if (counted & 4)
		work.events[2] = advance(&misses, cpu, &cpu->readings[2]);

	/* Idle is no process. A thread that ran when we were attached is not known from its start. */
	u32 tgid = cpu->running >> 32;
	u64 from = cpu->sum, sum = 0;
	if (cpu->task && cpu->task != (u64)previous) {
		/* A switch was not seen: some virtual machines hide their agents' from tracing. Of other than real-time threads
		 * the scheduler itself keeps what they had when it chose them. */
		int prio = 0;
		tgid = 0;
		READ(prio, previous, prio);
		if (prio >= FIRST_ORDINARY_PRIORITY) {
			READ(tgid, previous, tgid);
			READ(from, previous, se.prev_sum_exec_runtime);
		}
	}
	if (tgid) {
		/* It is still the current one, and a load is ten times cheaper than a helper that copies. */
		if (has_current)
			sum = bpf_get_current_task_btf()->se.sum_exec_runtime;
		else
			READ(sum, previous, se.sum_exec_runtime);
		work.time_ns = sum - from;
		/* Written out twice, so that each look-up is of one table that is known when the program is loaded: the
		 * kernel then calls it directly. */
		if (epoch & 1)
			record(&tasks_odd, &ended_odd, &groups_odd, cpu, previous, tgid, &work, control->known_before);
		else
			record(&tasks_even, &ended_even, &groups_even, cpu, previous, tgid, &work, control->known_before);
	}

	cpu->task = (u64)next;
	if (cpu->task == cpu->idle) {
		cpu->running = 0;
	} else {
		/* Both in one go, where the kernel has them side by side. */
		struct {
			u32 pid, tgid;
		} numbers = {};
		if (OFFSET(next, tgid) == OFFSET(next, pid) + sizeof(u32)) {
			bpf_probe_read_kernel(&numbers, sizeof(numbers), __builtin_preserve_access_index(&next->pid));
		} else {
			READ(numbers.pid, next, pid);
			READ(numbers.tgid, next, tgid);
		}
		READ(sum, next, se.sum_exec_runtime);
		cpu->running = (u64)numbers.tgid << 32 | numbers.pid;
		cpu->sum = sum;
		if (!numbers.tgid)
			cpu->idle = cpu->task;
	}
	*(volatile u64 *)&cpu->recorded = cpu->begun;
	return 0;
}

/* A thread is on its way out. It goes on to run a little: it tears down its memory and tells its parent. */
SEC("raw_tp/sched_process_exit")
int on_exit(u64 *arguments)
{
	struct task_struct *task = (void *)arguments[0], *leader = 0;
	struct signal_struct *signal = 0;
	int live = 1;
	READ(signal, task, signal);
	READ(live, signal, live.counter);
	if (live)
		return 0; /* Not the last one. */
	u32 tgid = 0, thread = 0;
	struct dying process = {};
	READ(tgid, task, tgid);
	READ(thread, task, pid);
	process.thread = thread;
	READ(leader, task, group_leader);
	READ(process.start, leader, start_boottime);
	READ(process.comm, leader, comm);
	process.cgroup = cgroup_of(task);
	/* Of several threads that find none alive, the one that comes last is waited for. */
	if (bpf_map_update_elem(&dying, &tgid, &process, ANY)) {
		struct cpu *cpu = this_cpu();
		if (cpu)
			__sync_fetch_and_add(&cpu->unreported, 1);
	}
	return 0;
}

/* A process has become another program. */
ALWAYS_INLINE void mark(void *tasks, struct task_struct *task, const struct task_key *key)
{
	struct task *known = bpf_map_lookup_elem(tasks, key);
	if (known) {
		known->flags |= EXECUTED;
		READ(known->comm, task, comm);
		return;
	}
	struct task fresh = {};
	fresh.flags = EXECUTED;
	fresh.cgroup = cgroup_of(task);
	READ(fresh.start, task, start_boottime);
	READ(fresh.comm, task, comm);
	bpf_map_update_elem(tasks, key, &fresh, NO_EXIST);
}

SEC("raw_tp/sched_process_exec")
int on_exec(u64 *arguments)
{
	struct task_struct *task = (void *)arguments[0];
	struct control *control = settings();
	struct cpu *cpu = this_cpu();
	if (!control || !cpu)
		return 0;
	struct task_key key = { .domain = cpu->domain };
	READ(key.tgid, task, tgid);
	if (control->epoch & 1)
		mark(&tasks_odd, task, &key);
	else
		mark(&tasks_even, task, &key);
	return 0;
}

/* Helpers that read the kernel are open to GPL-compatible programs only. */
char _license[] SEC("license") = "Dual MIT/GPL";
