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


def wait_until_right(check: Callable[[], bool], what: str, seconds: float = 45.0) -> None:
    """Waits until a check of several figures holds. What it asserts may be wrong meanwhile, not at the end."""
    wrong: AssertionError | None = None

    def holds() -> bool:
        nonlocal wrong
        try:
            return check()
        except AssertionError as error:
            wrong = error
            return False

    try:
        wait_until(holds, what, seconds)
    except AssertionError as error:
        raise error from wrong
