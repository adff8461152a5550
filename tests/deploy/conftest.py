"""Tests of what is deployed: `KEPLER_BIN=target/release/kepler pytest tests/deploy`."""

import os
from pathlib import Path

import pytest

from chart import ROOT


@pytest.fixture(scope="session")
def kepler_bin() -> Path:
    """The program under test."""
    binary = Path(os.environ.get("KEPLER_BIN", ROOT / "target/release/kepler"))
    assert os.access(binary, os.X_OK), f"{binary} is no program: run `cargo build --release`, or set KEPLER_BIN"
    return binary.resolve()
