"""Runs that have ended: read from files, side by side, as tables for people, papers and pages.

>>> from kepler_power import runs
>>> found = runs.read(["runs.csv", "emissions.csv"])  # doctest: +SKIP
>>> print(runs.compare(found).text())  # doctest: +SKIP

Read are what `Measurement.save` writes, what ``kepler measure`` and ``kepler-power measure`` report as CSV or JSON, ``emissions.csv`` of CodeCarbon
(or of :mod:`kepler_power.codecarbon`), and the directories of :mod:`kepler_power.distributed`.
"""

from __future__ import annotations

from ._compare import Comparison, Group, compare
from ._read import Runs, read
from ._run import Run
from ._save import save

__all__ = ["Comparison", "Group", "Run", "Runs", "compare", "read", "save"]
