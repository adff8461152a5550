// Rows of the lists of workloads, whichever time they are of.

/** Values of a trend. */
export const VALUES = 60;

/** Tells a row from all others, in lists of now and of the past alike. */
export const keyOf = (kind, row) => `${kind} ${row.pid !== undefined ? `${row.pid}/${row.start_ticks}` : kind === "command" ? `${row.comm}@${row.container_id ?? row.cgroup ?? row.job_id ?? ""}` : row.id ?? row.cgroup ?? row.name}`;
