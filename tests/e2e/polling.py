"""Waiting for something to become true, in place of sleeping for long enough."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], what: str, seconds: float = 45.0, step: float = 0.05) -> T:
    """The first truthy result of `condition`; an `AssertionError` that names `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        if result := condition():
            return result
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(step)
