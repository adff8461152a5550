"""Predicts power with a model; needs numpy."""

from __future__ import annotations

import json

import numpy as np

from kepler_power import models

# A weight file as Kepler's model database has them; models.load(path) reads one from disk.
variables = {"bpf_cpu_time_ms": {"scale": 8000.0, "weight": 100.0}, "cpu_cycles": {"scale": 2.4e10, "weight": 40.0}}
weights = {"Bias_Weight": 25.0, "Categorical_Variables": {}, "Numerical_Variables": variables}
model = models.Model.from_json(json.dumps({"package": {"All_Weights": weights}}), "SGDRegressorTrainer_0")

# Per second, summed over the node: milliseconds of CPU time, cycles.
rows = np.array([[0.0, 0.0], [4000.0, 1.2e10], [8000.0, 2.4e10]])
for (cpu, _), watts in zip(rows, model.predict(rows, "package")):
    print(f"{cpu / 1000:.0f} CPUs busy: {watts:.1f} W")
