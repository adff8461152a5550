"""Questions about the machine by the names that scripts import from ``codecarbon.core.util``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional, Union

from .._machine import Machine, Roots


def detect_cpu_model() -> Optional[str]:
    """The processor's name."""
    return Machine.of(Roots.now()).cpu_model or None


def count_cpus() -> int:
    """Logical processors."""
    return Machine.of(Roots.now()).cpu_count


def count_physical_cpus() -> int:
    """Sockets."""
    return Machine.of(Roots.now()).cpu_physical_count


def is_linux_os() -> bool:
    """Whether this is Linux."""
    return sys.platform.startswith("linux")


def is_mac_os() -> bool:
    """Whether this is macOS."""
    return sys.platform == "darwin"


def is_windows_os() -> bool:
    """Whether this is Windows."""
    return sys.platform.startswith("win")


def resolve_path(path: Union[str, Path]) -> Path:
    """An absolute path, with ``~`` resolved."""
    return Path(path).expanduser().resolve()


def backup(file_path: Union[str, Path], ext: str = ".bak") -> None:
    """Renames a file, if it is there, to its name with ``.bak``, or ``.bak_1``, … where that is taken."""
    path = Path(file_path)
    if not path.exists():
        return
    target, number = path.with_name(path.name + ext), 0
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}{ext}_{number}")
    path.rename(target)
