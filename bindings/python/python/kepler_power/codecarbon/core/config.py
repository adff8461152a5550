"""The configuration by the names that scripts import from ``codecarbon.core.config``."""

from __future__ import annotations

from .._parameters import configured


def get_hierarchical_config() -> dict[str, str]:
    """What ``.codecarbon.config`` in the home and working directories and then ``CODECARBON_*`` say."""
    return configured()
