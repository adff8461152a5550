"""Where the shared data are that some tests read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def shared(path: str) -> Path:
    """A file or directory of the shared data; the test is skipped where there are none."""
    given = os.environ.get("KEPLER_SHARED_DATA")
    directories = [Path(given)] if given else [ROOT / "../shared/data", ROOT / "../../shared/data"]
    for directory in directories:
        if (directory / path).exists():
            return (directory / path).resolve()
    pytest.skip(f"no shared data: set KEPLER_SHARED_DATA to the directory that has {path}")
