"""One rank of a training. Run it by torchrun, mpirun or srun with a directory that all ranks see:

    torchrun --nproc-per-node=4 ranks.py energy; kepler-power job energy
"""

from __future__ import annotations

import sys
import tempfile

from kepler_power import distributed

directory = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
with distributed.rank("train", directory=directory, region="eu-north-1") as m:
    total = sum(n * n for n in range(500_000))
print(distributed.report(directory, distributed.Launcher.found().job))
