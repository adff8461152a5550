from __future__ import annotations

import sys
from pathlib import Path

# The simulated machine is the tests'.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
