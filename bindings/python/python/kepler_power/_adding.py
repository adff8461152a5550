"""The lock under which threads add to figures that they share."""

from __future__ import annotations

import os
from _thread import RLock

# One for all figures: it is held for a microsecond. Re-entrant, since a signal handler may add in the middle of adding.
# A fork takes it; no meter is read under it, as that waits for forks.
adding = RLock()

os.register_at_fork(before=adding.acquire, after_in_parent=adding.release, after_in_child=adding.release)
