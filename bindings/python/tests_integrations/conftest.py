from __future__ import annotations

import warnings
from collections.abc import Iterator

import pytest

import kepler_power


@pytest.fixture(autouse=True)
def _estimates_are_no_news() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", kepler_power.EstimateWarning)
        yield
