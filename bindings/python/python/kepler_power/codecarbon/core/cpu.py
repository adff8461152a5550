"""Which meters of processors there are, by the names that scripts import from ``codecarbon.core.cpu``."""

from __future__ import annotations

from typing import Optional

from ...errors import KeplerError
from ...measurement import measure


def is_rapl_available(rapl_dir: Optional[str] = None) -> bool:
    """Whether energy is measured here by counters, and not estimated.

    :param rapl_dir: accepted and not used.
    """
    try:
        with measure("probe") as probe:
            pass
        return probe.source.is_measured
    except KeplerError:
        return False


def is_powergadget_available() -> bool:
    """Intel Power Gadget is not for Linux."""
    return False


def is_psutil_available() -> bool:
    """CPU time is read without psutil: whether it can be read."""
    return True
