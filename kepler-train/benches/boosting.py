"""Boosted trees, ours and scikit-learn's GradientBoostingRegressor, on the same rows with the same settings in one run.

100 trees of depth 6, rate 0.1, at least 5 rows a leaf, 2,202 rows of 5 features, one thread each; median of 7 runs, ms.
usage: cargo build --release -p kepler-train --example time_boosting
       python kepler-train/benches/boosting.py target/release/examples/time_boosting
Needs numpy and scikit-learn: `./test` makes such an environment, target/python-3.N, and runs this with --once, which asks
only that both work. Exit status 1 if ours takes more than 150 ms or is not three times as fast.
"""

import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy
from sklearn.ensemble import GradientBoostingRegressor

once = "--once" in sys.argv
program = [argument for argument in sys.argv[1:] if argument != "--once"][0]

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "rows.csv")
    ours = float(subprocess.run([program, path], check=True, capture_output=True, text=True).stdout)
    with open(path, newline="") as file:
        rows = numpy.array([[float(cell) for cell in row] for row in list(csv.reader(file))[1:]])

times = []
for _ in range(1 if once else 7):
    model = GradientBoostingRegressor(n_estimators=100, max_depth=6, learning_rate=0.1, min_samples_leaf=5, random_state=0)
    start = time.perf_counter()
    model.fit(rows[:, :-1], rows[:, -1])
    times.append((time.perf_counter() - start) * 1e3)
theirs = statistics.median(times)
print(f"ours {ours:.1f} ms, scikit-learn {theirs:.1f} ms, {theirs / ours:.1f} times as fast")
sys.exit(0 if once or ours <= 150 and theirs >= 3 * ours else 1)
