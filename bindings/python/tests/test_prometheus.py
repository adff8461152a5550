"""Questions to a real Prometheus that scrapes an exporter whose truth is known."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from exporter import DRAM_WATTS, PACKAGE_WATTS, Exporter
from prometheus import SCRAPE_SECONDS, Prometheus

from kepler_power import Facility, compliance

pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")

SEOUL = Facility("ap-northeast-2", pue=1.2, grid_intensity=400.0)
WATTS = PACKAGE_WATTS + DRAM_WATTS
WINDOW = 3.0


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The arguments of a question about the window that it has seen by now."""
    with Exporter() as exporter:
        with Prometheus(tmp_path_factory.mktemp("prometheus"), [exporter.address]) as prometheus:
            prometheus.wait_for("min(count_over_time(kepler_node_cpu_joules_total[1m]))", WINDOW / SCRAPE_SECONDS + 2)
            yield {"source": f"prometheus={prometheus.url}", "window": WINDOW, "facility": SEOUL}


def test_a_workload_is_assessed_by_what_prometheus_knows(asked: dict[str, Any]) -> None:
    answer = compliance.assess_workload_compliance("cart", namespace="shop", **asked)
    assert (answer.kind, answer.namespace, answer.window) == ("statefulset", "shop", "3s")
    assert answer.power_watts.cpu == pytest.approx(PACKAGE_WATTS, rel=0.01)
    assert answer.power_watts.memory == pytest.approx(DRAM_WATTS, rel=0.01)
    # Prometheus extrapolates its samples to the ends of the window, not far if one came late.
    assert answer.energy_joules == pytest.approx(WATTS * WINDOW, rel=0.4)
    assert answer.current_carbon_intensity_gCO2eq_kWh == pytest.approx(480.0)
    assert answer.status == "NON_COMPLIANT"


def test_the_other_questions_agree_with_it(asked: dict[str, Any]) -> None:
    summary = compliance.get_cluster_carbon_summary(**asked)
    assert summary.power_watts == pytest.approx(2 * WATTS, rel=0.01)
    assert [node.node for node in summary.nodes] == ["n1"]
    (hotspot,) = compliance.get_power_hotspots(**asked).hotspots
    assert hotspot.power_watts == pytest.approx(WATTS, rel=0.01)
    trend = compliance.analyze_workload_power_trend(
        workload="cart-0", namespace="shop", window=WINDOW, source=asked["source"], facility=SEOUL
    )
    assert trend.mean_watts == pytest.approx(WATTS, rel=0.4)


def test_it_is_observed_now_and_at_each_question(asked: dict[str, Any]) -> None:
    observation = compliance.observe(asked["source"], window=WINDOW)
    assert "prometheus" in observation.source and observation.window_seconds == WINDOW
    for _ in range(2):
        answer = compliance.assess_workload_compliance("cart-0", namespace="shop", source=observation, facility=SEOUL)
        assert answer.power_watts.total == pytest.approx(WATTS, rel=0.01)


def test_a_prometheus_that_scrapes_no_kepler_says_so(tmp_path: Path) -> None:
    with Prometheus(tmp_path, []) as prometheus:
        answer = compliance.get_power_hotspots(source=f"prometheus={prometheus.url}", facility=SEOUL)
    assert answer.hotspots == () and "check that it scrapes Kepler" in answer.caveats[0]
