"""Graphics processors by the names that scripts import from ``codecarbon.core.gpu``. None is measured yet."""

from __future__ import annotations

from typing import Any


def is_gpu_details_available() -> bool:
    """No."""
    return False


def get_gpu_details() -> list[dict[str, Any]]:
    """None."""
    return []


def get_gpu_static_info() -> list[dict[str, Any]]:
    """None."""
    return []
