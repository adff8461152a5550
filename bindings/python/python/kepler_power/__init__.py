"""Measure the energy and the carbon of Python code."""

from __future__ import annotations

from ._facility import Facility, configure, facility
from ._native import __version__
from .errors import KeplerError

__all__ = ["Facility", "KeplerError", "__version__", "configure", "facility"]
