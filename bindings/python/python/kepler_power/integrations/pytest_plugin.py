"""``pytest --energy``: what each test used, in the summary and in JUnit's XML, and budgets that tests must keep.

    @pytest.mark.energy(max_joules=5)
    def test_training(): ...
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Optional

import pytest

if TYPE_CHECKING:
    from ..measurement import Measurement

_PROPERTY = "energy_joules"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Its options."""
    group = parser.getgroup("energy", "energy of tests (kepler-power)")
    group.addoption("--energy", action="store_true", help="measure the energy of each test")
    group.addoption("--energy-budget", type=float, metavar="JOULES", help="a test that uses more fails; the mark `energy` of a test goes before")
    group.addoption("--energy-top", type=int, default=10, metavar="N", help="how many tests the summary lists (10; 0 for all)")
    group.addoption("--energy-csv", metavar="FILE", help="add a row for each test to this file, for `kepler-power board`")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the mark known."""
    config.addinivalue_line("markers", "energy(max_joules, of='process'): the test fails if it, or the machine, used more")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, None]:
    """Measures the test itself, without its fixtures."""
    option: Any = item.config.getoption
    budget, of = _budget(item)
    if budget is None and not option("--energy") and not option("--energy-csv"):
        yield
        return
    from ..errors import EstimateWarning
    from ..measurement import measure

    with warnings.catch_warnings():
        # The summary says what is estimated.
        warnings.simplefilter("ignore", EstimateWarning)
        measurement = measure(item.nodeid)
    measurement.start()
    outcome = yield
    measurement.stop()
    share = measurement.energy if of == "machine" else measurement.tree.energy
    is_resolved = measurement.seconds >= measurement.source.resolution_seconds and measurement.energy.microjoules > 0
    item.user_properties += _properties(measurement, share.joules if is_resolved else None)
    if option("--energy-csv"):
        measurement.save(option("--energy-csv"))
    if is_resolved and budget is not None and share.joules > budget and outcome.excinfo is None:
        who = "the machine" if of == "machine" else "the test"
        text = f"{who} used {share}, more than its budget of {budget:g} J ({measurement.source})"
        outcome.force_exception(pytest.fail.Exception(text, pytrace=False))


def _budget(item: pytest.Item) -> tuple[Optional[float], str]:
    """The nearest mark's, else that of the command line."""
    mark = item.get_closest_marker("energy")
    if mark is None:
        return item.config.getoption("--energy-budget"), "process"
    given = dict(zip(("max_joules", "of"), mark.args), **mark.kwargs)
    most, of = given.pop("max_joules", None), given.pop("of", "process")
    if given or of not in ("process", "machine") or isinstance(most, bool) or not isinstance(most, (int, float)) or not most > 0:
        raise pytest.fail.Exception("write its mark as energy(max_joules=5) or energy(max_joules=5, of='machine')", pytrace=False)
    return float(most), of


def _properties(measurement: Measurement, joules: Optional[float]) -> list[tuple[str, object]]:
    """For reports, also JUnit's. What is over before the meter moved is not zero: it is not there."""
    found: list[tuple[str, object]] = []
    if joules is not None:
        found += [(_PROPERTY, round(joules, 6)), ("energy_machine_joules", round(measurement.energy.joules, 6))]
    state = "unresolved" if joules is None else "uncertain" if measurement.is_uncertain else "known"
    found += [("energy_state", state), ("energy_method", measurement.source.method), ("energy_source", measurement.source.name)]
    error = measurement.source.error_ratio
    return found if error is None else [*found, ("energy_error_ratio", error)]


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The tests that used most. Reports carry the figures, also from the processes of pytest-xdist."""
    if not config.getoption("--energy"):
        return
    found: list[tuple[float, str, str]] = []
    top: Any = config.getoption("--energy-top")
    count, methods = 0, set[str]()
    for reports in terminalreporter.stats.values():
        for report in reports:
            properties: dict[str, Any] = dict(getattr(report, "user_properties", ()))
            if getattr(report, "when", "") != "call" or "energy_state" not in properties:
                continue
            count += 1
            methods.add(f"{properties['energy_method']} by {properties['energy_source']}")
            if _PROPERTY in properties:
                found.append((properties[_PROPERTY], report.nodeid, properties["energy_state"]))
    _summary(terminalreporter, sorted(found, reverse=True), count, methods, int(top))


def _summary(reporter: Any, found: list[tuple[float, str, str]], count: int, methods: set[str], top: int) -> None:
    from ..quantities import Energy

    reporter.section("energy of tests")
    for joules, name, state in found[: top or None]:
        mark = "" if state == "known" else f" ({state})"
        reporter.write_line(f"{str(Energy.from_joules(joules)):>10}  {name}{mark}")
    total = Energy.from_joules(sum(joules for joules, _, _ in found))
    unresolved = f", {count - len(found)} over before the meter moved" if count > len(found) else ""
    reporter.write_line(f"{total!s:>10}  in all of {len(found)} tests{unresolved} ({', '.join(sorted(methods)) or 'none measured'})")
