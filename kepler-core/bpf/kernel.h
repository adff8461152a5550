/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The part of the kernel that the program needs: nothing here is a layout. Offsets are taken from the running kernel's
 * own type information when the program is loaded (CO-RE); only names count. Field names as of Linux 5.8 and later. */
#ifndef KEPLER_KERNEL_H
#define KEPLER_KERNEL_H

typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;

struct task_struct;

#define SEC(name) __attribute__((section(name), used))
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NO_INLINE static __attribute__((noinline))

/* Fields of BTF-defined maps. */
#define NUMBER(name, value) int(*name)[value]
#define TYPE(name, type) type *name

/* enum bpf_map_type and flags, include/uapi/linux/bpf.h */
enum { MAP_HASH = 1, MAP_ARRAY = 2, MAP_PERF_EVENT_ARRAY = 4, MAP_PERCPU_ARRAY = 6 };
enum { ANY = 0, NO_EXIST = 1 };
/* include/linux/sched.h */
#define PF_EXITING 0x4
#define CURRENT_CPU 0xffffffffULL
#define E_EXIST 17

/* Helpers by number, include/uapi/linux/bpf.h; all are there in 5.8 unless it says otherwise. */
static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static long (*bpf_perf_event_read_value)(void *map, u64 flags, void *value, u32 size) = (void *)55;
static u64 (*bpf_get_current_cgroup_id)(void) = (void *)80;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158; /* 5.11 */
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
};

struct css_set {
	struct cgroup_subsys_state *subsys[1];
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
};

struct sched_entity {
	u64 sum_exec_runtime;
	u64 prev_sum_exec_runtime;
};

struct task_struct {
	u32 flags;
	int exit_state;
	int prio;
	s32 pid;
	s32 tgid;
	char comm[16];
	struct task_struct *group_leader;
	u64 start_boottime;
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct sched_entity se;
};

#pragma clang attribute pop

/* Only the name counts here, too. */
enum cgroup_subsys_id { cpuacct_cgrp_id = 1 };

/* Reads a field of a kernel structure at the offset that the running kernel has it. */
#define READ(to, pointer, field) \
	bpf_probe_read_kernel(&(to), sizeof(to), __builtin_preserve_access_index(&(pointer)->field))

/* Where the running kernel has a field, in bytes. */
#define OFFSET(pointer, field) __builtin_preserve_field_info((pointer)->field, 0)

#endif
