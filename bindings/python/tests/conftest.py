from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from powercap import PowercapTree

import kepler_power


@pytest.fixture
def tree(tmp_path: Path) -> PowercapTree:
    """A machine with RAPL."""
    return PowercapTree(tmp_path)


@pytest.fixture(autouse=True)
def _estimates_are_no_news() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kepler_power.EstimateWarning)
        yield
