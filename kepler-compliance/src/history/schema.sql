-- One row a workload of which the file holds energy.
CREATE TABLE workload (
    id         INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL,       -- pod, container, unit, vm, process, job; readers pass over kinds they do not know
    uid        TEXT NOT NULL,       -- pod UID, container id, unit's or job's cgroup, VM id, command name of a process
    name       TEXT NOT NULL,       -- its name; the uid where it has none
    namespace  TEXT,                -- of a pod, and of a container in a pod, where known
    running    INTEGER NOT NULL CHECK (running IN (0, 1)), -- 1: it was alive at the newest record
    last_block INTEGER NOT NULL,    -- the newest block that knows it
    owner_kind TEXT,                -- controller of a pod where known: deployment, statefulset, daemonset, job (a cron job's too), controller (any other)
    owner_name TEXT,                -- its name
    UNIQUE (kind, uid)
) STRICT;

-- A period of time without a gap, at most an hour: what is stored, thinned and dropped as one.
CREATE TABLE block (
    id          INTEGER PRIMARY KEY AUTOINCREMENT, -- always rises, whatever the wall clock does
    start_ms    INTEGER NOT NULL,                  -- wall clock, ms since 1970-01-01 UTC
    end_ms      INTEGER NOT NULL,                  -- the same; not before start_ms
    recorded_ms INTEGER NOT NULL,                  -- a clock that never goes back; ages are taken on it
    processors  INTEGER NOT NULL,                  -- online logical processors
    thinned     INTEGER NOT NULL DEFAULT 0 CHECK (thinned IN (0, 1)) -- 1: its intervals are merged into one
) STRICT;

-- The intervals of energy.
CREATE TABLE interval (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    block      INTEGER NOT NULL,    -- block.id
    start_ms   INTEGER NOT NULL,
    end_ms     INTEGER NOT NULL,
    covered_ms INTEGER NOT NULL     -- time awake and measured in it; less than end_ms - start_ms after a suspend
) STRICT;

-- Which meter a zone's figures come from.
CREATE TABLE source (
    block       INTEGER NOT NULL,   -- block.id
    zone        TEXT NOT NULL,      -- package, core, uncore, dram, psys, gpu, platform
    name        TEXT NOT NULL,      -- powercap, msr, perf, hwmon, model, nvml, ...
    error_ratio REAL,               -- expected relative error of what is not wholly measured (1 sigma)
    method      TEXT CHECK (method IN ('measured', 'partial', 'estimated')), -- partial: a part is estimated. NULL: version 1 or 2, which had no partial; by error_ratio
    PRIMARY KEY (block, zone)
) STRICT, WITHOUT ROWID;

-- The node's energy, microjoules used within the interval.
CREATE TABLE node_energy (
    interval        INTEGER NOT NULL, -- interval.id
    zone            TEXT NOT NULL,
    energy_uj       INTEGER NOT NULL CHECK (energy_uj >= 0),       -- all of it: active and idle
    idle_uj         INTEGER NOT NULL CHECK (idle_uj >= 0),         -- what an idle machine draws all the same
    unattributed_uj INTEGER NOT NULL CHECK (unattributed_uj >= 0), -- active energy that no workload explains
    PRIMARY KEY (interval, zone)
) STRICT, WITHOUT ROWID;

-- Meters of the whole machine, which contain the zones: its BMC, its firmware, a meter outside.
CREATE TABLE platform (
    id            INTEGER PRIMARY KEY,
    source        TEXT NOT NULL,    -- redfish, ipmi, acpi, hwmon, prometheus, http
    bmc_id        TEXT NOT NULL,
    chassis_id    TEXT NOT NULL,
    source_type   TEXT NOT NULL,    -- EnvironmentMetrics, PowerSupply, PowerControl, DCMI, PowerMeter, Query, JSON
    source_id     TEXT NOT NULL,
    source_name   TEXT NOT NULL,
    scope         TEXT NOT NULL,    -- node, part, shared
    contains_gpus INTEGER NOT NULL CHECK (contains_gpus IN (0, 1)),
    method        TEXT NOT NULL CHECK (method IN ('measured', 'partial', 'estimated')),
    error_ratio   REAL,
    UNIQUE (source, bmc_id, chassis_id, source_type, source_id)
) STRICT;

-- What they showed within the interval, microjoules; and the time that this is of, by the readings' own times.
CREATE TABLE platform_energy (
    interval   INTEGER NOT NULL,    -- interval.id
    platform   INTEGER NOT NULL,    -- platform.id
    energy_uj  INTEGER NOT NULL CHECK (energy_uj >= 0),
    covered_ms INTEGER NOT NULL CHECK (covered_ms >= 0),
    PRIMARY KEY (interval, platform)
) STRICT, WITHOUT ROWID;

-- Active energy of workloads, microjoules used within the interval. NULL: the node has no such zone.
-- A running workload has a row with zeros where it used nothing; no row: it was not there.
CREATE TABLE workload_energy (
    block      INTEGER NOT NULL,    -- block.id
    workload   INTEGER NOT NULL,    -- workload.id
    interval   INTEGER NOT NULL,    -- interval.id
    cpu_us     INTEGER NOT NULL CHECK (cpu_us >= 0),   -- CPU time, microseconds
    package_uj INTEGER CHECK (package_uj >= 0),
    core_uj    INTEGER CHECK (core_uj >= 0),           -- within package
    uncore_uj  INTEGER CHECK (uncore_uj >= 0),         -- within package
    dram_uj    INTEGER CHECK (dram_uj >= 0),
    psys_uj    INTEGER CHECK (psys_uj >= 0),           -- the whole platform: contains the others
    gpu_uj     INTEGER CHECK (gpu_uj >= 0),            -- all accelerators
    platform_uj INTEGER CHECK (platform_uj >= 0),      -- what the machine draws beside all of these, where it is charged
    PRIMARY KEY (block, workload, interval)
) STRICT, WITHOUT ROWID;

CREATE INDEX block_by_end ON block (end_ms);
CREATE INDEX interval_by_block ON interval (block, start_ms, end_ms, covered_ms); -- holds all: no search a row

-- Accelerators of which the file holds energy.
CREATE TABLE device (
    id     INTEGER PRIMARY KEY,
    uuid   TEXT NOT NULL UNIQUE,    -- GPU-..., else the PCI address
    gpu    INTEGER NOT NULL,        -- its newest number on the node
    vendor TEXT NOT NULL,
    name   TEXT NOT NULL            -- the product
) STRICT;

-- Which meter an accelerator's figures come from, and how workloads' parts of it were found.
CREATE TABLE device_source (
    block       INTEGER NOT NULL,   -- block.id
    device      INTEGER NOT NULL,   -- device.id
    source      TEXT NOT NULL,      -- nvml, drm, ...
    method      TEXT NOT NULL CHECK (method IN ('measured', 'partial', 'estimated')), -- the weakest in the block
    error_ratio REAL,
    shares_by   TEXT,               -- the weakest: utilisation, instance_activity, instance_slices, allocation. NULL: no user
    PRIMARY KEY (block, device)
) STRICT, WITHOUT ROWID;

-- Energy of accelerators, microjoules used within the interval. What is neither active nor idle may be either.
CREATE TABLE device_energy (
    block           INTEGER NOT NULL, -- block.id
    device          INTEGER NOT NULL, -- device.id
    interval        INTEGER NOT NULL, -- interval.id
    energy_uj       INTEGER NOT NULL CHECK (energy_uj >= 0),
    active_uj       INTEGER NOT NULL CHECK (active_uj >= 0),
    idle_uj         INTEGER NOT NULL CHECK (idle_uj >= 0),
    unattributed_uj INTEGER NOT NULL CHECK (unattributed_uj >= 0), -- active energy that no workload explains
    PRIMARY KEY (block, device, interval)
) STRICT, WITHOUT ROWID;

-- Active energy of workloads on one accelerator, a part of workload_energy.gpu_uj. No row: none.
CREATE TABLE workload_device_energy (
    block     INTEGER NOT NULL,     -- block.id
    workload  INTEGER NOT NULL,     -- workload.id
    device    INTEGER NOT NULL,     -- device.id
    interval  INTEGER NOT NULL,     -- interval.id
    energy_uj INTEGER NOT NULL CHECK (energy_uj >= 0),
    shares_by TEXT,                 -- as in device_source
    PRIMARY KEY (block, workload, device, interval)
) STRICT, WITHOUT ROWID;

-- node: the node's name. resolution_ms: the length of an interval before it is thinned.
CREATE TABLE setting (
    key   TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- For people: energy in joules and times as text.
CREATE VIEW workload_joules AS
SELECT datetime(i.start_ms / 1000, 'unixepoch') AS start,
       (i.end_ms - i.start_ms) / 1000.0 AS seconds,
       w.kind, w.namespace, w.name,
       e.cpu_us / 1e6 AS cpu_seconds,
       e.package_uj / 1e6 AS package_joules,
       e.dram_uj / 1e6 AS dram_joules,
       e.gpu_uj / 1e6 AS gpu_joules,
       e.platform_uj / 1e6 AS platform_joules
FROM workload_energy AS e
JOIN workload AS w ON w.id = e.workload
JOIN interval AS i ON i.id = e.interval;

CREATE VIEW node_joules AS
SELECT datetime(i.start_ms / 1000, 'unixepoch') AS start,
       (i.end_ms - i.start_ms) / 1000.0 AS seconds,
       n.zone,
       n.energy_uj / 1e6 AS joules,
       n.idle_uj / 1e6 AS idle_joules,
       n.unattributed_uj / 1e6 AS unattributed_joules,
       s.name AS source,
       coalesce(s.method, iif(s.error_ratio IS NULL, 'measured', 'estimated')) AS method
FROM node_energy AS n
JOIN interval AS i ON i.id = n.interval
JOIN source AS s ON s.block = i.block AND s.zone = n.zone;

CREATE VIEW device_joules AS
SELECT datetime(i.start_ms / 1000, 'unixepoch') AS start,
       (i.end_ms - i.start_ms) / 1000.0 AS seconds,
       d.gpu, d.uuid, d.name AS device,
       w.kind, w.namespace, w.name,
       e.energy_uj / 1e6 AS joules,
       e.shares_by
FROM workload_device_energy AS e
JOIN device AS d ON d.id = e.device
JOIN workload AS w ON w.id = e.workload
JOIN interval AS i ON i.id = e.interval;
