-- Energy of a fleet: what a hub has seen of many nodes. One row a node.
CREATE TABLE node (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- One row a workload of a node: those that no other one contains.
CREATE TABLE workload (
    id         INTEGER PRIMARY KEY,
    node       INTEGER NOT NULL,    -- node.id
    kind       TEXT NOT NULL,       -- pod, container, unit, vm, job
    uid        TEXT NOT NULL,
    name       TEXT NOT NULL,
    namespace  TEXT,                -- of a pod
    owner_kind TEXT,                -- controller of a pod: deployment, statefulset, daemonset, job, controller (any other)
    owner_name TEXT,
    last       INTEGER NOT NULL,    -- the newest interval that knows it
    UNIQUE (node, kind, uid)
) STRICT;

-- Stretches of time, without overlap.
CREATE TABLE interval (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    start_ms    INTEGER NOT NULL,   -- wall clock, ms since 1970-01-01 UTC
    end_ms      INTEGER NOT NULL,
    coverage    REAL NOT NULL       -- share of its time and of the expected nodes that its figures stand for, 0 to 1
) STRICT;

-- Energy of nodes, microjoules used within the interval. NULL is not known.
CREATE TABLE node_energy (
    interval        INTEGER NOT NULL, -- interval.id
    node            INTEGER NOT NULL, -- node.id
    zone            TEXT NOT NULL,    -- package, core, uncore, dram, psys, gpu, platform
    energy_uj       INTEGER NOT NULL CHECK (energy_uj >= 0),
    idle_uj         INTEGER CHECK (idle_uj >= 0),
    unattributed_uj INTEGER CHECK (unattributed_uj >= 0),
    source          TEXT NOT NULL,    -- powercap, msr, perf, hwmon, model, ...; empty where the exporter does not say
    method          TEXT NOT NULL CHECK (method IN ('measured', 'partial', 'estimated')),
    error_ratio     REAL,
    PRIMARY KEY (interval, node, zone)
) STRICT, WITHOUT ROWID;

-- Active energy of workloads, microjoules used within the interval. NULL: the node has no such zone.
CREATE TABLE workload_energy (
    interval   INTEGER NOT NULL,    -- interval.id
    workload   INTEGER NOT NULL,    -- workload.id
    cpu_us     INTEGER CHECK (cpu_us >= 0),
    package_uj INTEGER CHECK (package_uj >= 0),
    core_uj    INTEGER CHECK (core_uj >= 0),
    uncore_uj  INTEGER CHECK (uncore_uj >= 0),
    dram_uj    INTEGER CHECK (dram_uj >= 0),
    psys_uj    INTEGER CHECK (psys_uj >= 0),
    gpu_uj     INTEGER CHECK (gpu_uj >= 0),
    platform_uj INTEGER CHECK (platform_uj >= 0),
    PRIMARY KEY (interval, workload)
) STRICT, WITHOUT ROWID;

-- Accelerators of nodes.
CREATE TABLE device (
    id     INTEGER PRIMARY KEY,
    node   INTEGER NOT NULL,        -- node.id
    uuid   TEXT NOT NULL,           -- GPU-..., else the PCI address
    gpu    INTEGER NOT NULL,        -- its newest number on the node
    vendor TEXT NOT NULL,
    name   TEXT NOT NULL,           -- the product
    last   INTEGER NOT NULL,        -- the newest interval that knows it
    UNIQUE (node, uuid)
) STRICT;

-- Energy of accelerators, microjoules used within the interval. What is neither active nor idle may be either.
CREATE TABLE device_energy (
    interval        INTEGER NOT NULL, -- interval.id
    device          INTEGER NOT NULL, -- device.id
    energy_uj       INTEGER NOT NULL CHECK (energy_uj >= 0),
    active_uj       INTEGER NOT NULL CHECK (active_uj >= 0),
    idle_uj         INTEGER NOT NULL CHECK (idle_uj >= 0),
    unattributed_uj INTEGER CHECK (unattributed_uj >= 0), -- NULL is not known
    source          TEXT NOT NULL,
    method          TEXT NOT NULL CHECK (method IN ('measured', 'partial', 'estimated')),
    error_ratio     REAL,
    shares_by       TEXT,           -- how workloads' parts were found; NULL is not known
    PRIMARY KEY (interval, device)
) STRICT, WITHOUT ROWID;

-- Active energy of workloads on one accelerator, a part of workload_energy.gpu_uj. No row: none.
CREATE TABLE workload_device_energy (
    interval  INTEGER NOT NULL,     -- interval.id
    workload  INTEGER NOT NULL,     -- workload.id
    device    INTEGER NOT NULL,     -- device.id
    energy_uj INTEGER NOT NULL CHECK (energy_uj >= 0),
    shares_by TEXT,
    PRIMARY KEY (interval, workload, device)
) STRICT, WITHOUT ROWID;

-- Nodes that were missing, and why.
CREATE TABLE skipped (
    interval INTEGER NOT NULL,      -- interval.id
    what     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    PRIMARY KEY (interval, what)
) STRICT, WITHOUT ROWID;

CREATE INDEX interval_by_end ON interval (end_ms);
