from __future__ import annotations

import sys
from pathlib import Path

import pytest

# The simulated machine is the tests'.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from powercap import PowercapTree  # noqa: E402


@pytest.fixture
def tree(tmp_path: Path) -> PowercapTree:
    return PowercapTree(tmp_path)
