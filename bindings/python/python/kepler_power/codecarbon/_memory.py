"""Power of memory that has no counter, from its size.

Published figures differ by a factor of seven, so the estimate is their geometric mean, and its error is stated as large as
itself (the range is about one standard deviation of the logarithm either way):

- 0.392 W/GB: Cloud Carbon Footprint, methodology, 2021: the mean of Crucial's and Micron's figures for DDR4.
- 0.0544 W/GB: Tailpipe, methodology for memory: DRAM counters of 37 bare-metal cloud machines, DDR4, at 20 % CPU use.
- 5 W a module, 1.5 W on Arm: CodeCarbon 3.3, 2026; taken where the kernel lists the modules (EDAC drivers do).

Ghose et al., "What Your DRAM Power Models Are Not Telling You", SIGMETRICS 2018, show why data sheets overstate it.
"""

from __future__ import annotations

import math
import platform

WATTS_PER_GB = (0.392, 0.0544)
"""Published figures by size; GB is 1e9 bytes."""
WATTS_PER_MODULE = 5.0
WATTS_PER_MODULE_ARM = 1.5
ERROR_RATIO = 1.0
"""Relative error, one standard deviation."""

_GB_PER_GIB = 1024**3 / 1e9


def watts(gib: float, modules: int | None, machine: str = "") -> float:
    """Mean power of memory of this size.

    :param gib: its size, GiB.
    :param modules: how many modules there are, where that is known.
    :param machine: the architecture as ``uname -m`` has it; that of this machine if empty.
    :returns: watts; NaN where the size is not known.
    """
    figures = [per_gb * gib * _GB_PER_GIB for per_gb in WATTS_PER_GB]
    if modules is not None:
        is_arm = (machine or platform.machine()).lower().startswith(("arm", "aarch"))
        figures.append(modules * (WATTS_PER_MODULE_ARM if is_arm else WATTS_PER_MODULE))
    return math.prod(figures) ** (1 / len(figures)) if gib > 0 else float("nan")
