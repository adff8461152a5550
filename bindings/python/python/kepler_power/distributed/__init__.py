"""Runs of many processes: each measures its share, one report adds them up.

Under torchrun, MPI, Slurm, Ray or a pool of processes, every rank writes a small file into a directory that all see:

>>> from kepler_power import distributed
>>> with distributed.rank("train", directory="energy") as m:  # doctest: +SKIP
...     train()
>>> print(distributed.report("energy"))  # doctest: +SKIP

The sum is that of the ranks' shares by CPU time, so other tenants of a node are not in it, and no machine is counted twice. Ranks that never ended are
named, and make the report partial. For workers of joblib, Dask, Ray and :mod:`concurrent.futures` see :func:`collect`.
"""

from __future__ import annotations

from ._launcher import Launcher
from ._rank import rank
from ._record import SUFFIX, Record
from ._report import NodeTotal, Report, report, reports
from ._tasks import Job, collect

__all__ = ["SUFFIX", "Job", "Launcher", "NodeTotal", "Record", "Report", "collect", "rank", "report", "reports"]
