"""A page of finished runs: `kepler-power board runs.csv emissions.csv`.

It needs nothing from elsewhere: written to a file, it can be mailed; served, it is on this machine's loopback only and reads the files again at each visit.
"""

from __future__ import annotations

from ._page import page
from ._server import Server

__all__ = ["Server", "page"]
