"""Measure the energy and the carbon of Python code."""

from __future__ import annotations

from ._native import __version__
from .errors import KeplerError

__all__ = ["KeplerError", "__version__"]
