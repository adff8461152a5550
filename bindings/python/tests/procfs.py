"""A procfs of plain files."""

from __future__ import annotations

from pathlib import Path


def make_procfs(root: Path, processes: int, processors: int = 8) -> Path:
    """A machine on which every process has used a second of CPU time."""
    procfs = root / "proc"
    procfs.mkdir()
    lines = "".join(f"cpu{n} 0 0 0 0 0 0 0 0 0 0\n" for n in range(processors))
    (procfs / "stat").write_text(f"cpu  {processes * 100} 0 0 {processes * 300} 0 0 0 0 0 0\n{lines}intr 0\n")
    for pid in range(1000, 1000 + processes):
        directory = procfs / str(pid)
        directory.mkdir()
        container = f"/system.slice/docker-{pid % 50:064x}.scope" if pid % 2 else f"/system.slice/job-{pid % 20}.service"
        (directory / "stat").write_text(f"{pid} (worker) S 1 {pid} {pid} 0 -1 0 0 0 0 0 100 0 0 0 20 0 1 0 {pid} 0 0\n")
        (directory / "cgroup").write_text(f"0::{container}\n")
        (directory / "comm").write_text(f"worker-{pid % 7}\n")
        (directory / "cmdline").write_bytes(b"worker\0")
        (directory / "exe").symlink_to("/usr/bin/worker")
    return procfs
