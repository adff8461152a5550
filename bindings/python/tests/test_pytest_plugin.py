"""`pytest --energy`, as pytest's own tests of plugins run it."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from powercap import PowercapTree

from kepler_power import runs

pytest_plugins = ["pytester"]

TESTS = """
import os, pytest

def draw(joules):
    # The package draws while the test works: a counter that stands still under load is not believed.
    for _ in range(15):
        end = os.times().user + 0.01
        while os.times().user < end:
            pass
        with open({path!r}, "r+b") as file:
            value = int(file.read()) + int(joules * 1e6 / 15)
            file.seek(0)
            file.write(b"%d\\n" % value)

def test_small():
    draw(1)

def test_large():
    draw(3)

@pytest.mark.energy(max_joules=0.0001)
def test_over_its_budget():
    draw(2)

@pytest.mark.energy(5.0, of="machine")
def test_within_its_budget():
    draw(2)

@pytest.mark.energy(max_joules=0.0001)
def test_that_fails_anyway():
    draw(2)
    assert False, "its own reason"
"""


@pytest.fixture
def project(pytester: pytest.Pytester, tree: PowercapTree, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("KEPLER_HOST_SYSFS", str(tree.sysfs))
    pytester.makepyfile(TESTS.format(path=str(tree.sysfs / "class/powercap/intel-rapl:0/energy_uj")))
    return pytester


@pytest.mark.parametrize("ci", ["", "true"])
def test_the_summary_lists_what_used_most_and_junit_has_every_test(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str) -> None:
    monkeypatch.setenv("CI", ci)  # Under CI pytest does not shorten the lines of its summary.
    done = project.runpytest_subprocess("--energy", "--energy-top=1", "--junitxml=out.xml", "--energy-csv=energy.csv")
    done.assert_outcomes(passed=3, failed=2)
    text = done.stdout.str()
    section = text[text.index("energy of tests") :]
    assert len(re.findall(r"J  test_", section)) == 1 and "in all of 5 tests (measured by powercap)" in section
    assert re.search(r"the test used .*J, more than its budget of 0\.0001 J \(measured by powercap\)", text)
    report = ElementTree.parse(project.path / "out.xml")
    failures = {case.get("name"): one.get("message", "") for case in report.iter("testcase") for one in case.iter("failure")}
    assert "more than its budget" in failures["test_over_its_budget"]
    assert "its own reason" in failures["test_that_fails_anyway"] and "budget" not in failures["test_that_fails_anyway"]
    cases = {case.get("name"): {one.get("name"): one.get("value") for one in case.iter("property")} for case in report.iter("testcase")}
    assert float(cases["test_large"]["energy_machine_joules"] or 0) == pytest.approx(3.0) and 0 < float(cases["test_large"]["energy_joules"] or 0) <= 3.0
    assert cases["test_small"]["energy_method"] == "measured" and cases["test_small"]["energy_state"] in ("known", "uncertain")
    assert len(runs.read([project.path / "energy.csv"])) == 5


def test_without_the_option_only_tests_with_a_budget_are_measured(project: pytest.Pytester) -> None:
    done = project.runpytest_subprocess("--junitxml=out.xml")
    done.assert_outcomes(passed=3, failed=2)
    assert "energy of tests" not in done.stdout.str()
    cases = {case.get("name"): list(case.iter("property")) for case in ElementTree.parse(project.path / "out.xml").iter("testcase")}
    assert not cases["test_small"] and cases["test_within_its_budget"]


def test_a_budget_for_all_tests(project: pytest.Pytester) -> None:
    done = project.runpytest_subprocess("--energy-budget=0.0001", "-k", "small or large or within")
    done.assert_outcomes(passed=1, failed=2)


def test_what_is_over_before_the_meter_moves_is_not_zero_and_breaks_no_budget(pytester: pytest.Pytester, tree: PowercapTree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPLER_HOST_SYSFS", str(tree.sysfs))
    pytester.makepyfile("import pytest\n@pytest.mark.energy(1e-9)\ndef test_nothing(): pass\n")
    done = pytester.runpytest_subprocess("--energy", "--junitxml=out.xml")
    done.assert_outcomes(passed=1)
    assert "1 over before the meter moved" in done.stdout.str()
    properties = [one.get("name") for one in ElementTree.parse(pytester.path / "out.xml").iter("property")]
    assert "energy_state" in properties and "energy_joules" not in properties


MARKS = ["energy()", "energy(max_joules='5')", "energy(max_joules=-1)", "energy(joules=1)", "energy(1, of='moon')", "energy(True)"]


def test_a_mark_that_cannot_be_fails_its_test_and_says_how_to_write_it(pytester: pytest.Pytester) -> None:
    tests = (f"@pytest.mark.{mark}\ndef test_{number}(): pass\n" for number, mark in enumerate(MARKS))
    pytester.makepyfile("import pytest\n" + "".join(tests) + "def test_other(): pass\n")
    done = pytester.runpytest_subprocess()
    done.assert_outcomes(failed=len(MARKS), passed=1)
    assert "energy(max_joules=5)" in done.stdout.str()


def test_figures_of_the_processes_of_xdist_are_in_the_summary(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    done = project.runpytest_subprocess("--energy", "-n2", "-k", "small or large")
    done.assert_outcomes(passed=2)
    assert "in all of 2 tests" in done.stdout.str()


def test_a_pytest_without_it_is_not_slowed_by_what_it_does_not_use(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import sys\ndef test_it():\n    assert not {'kepler_power.watch', 'kepler_power.runs', 'numpy', 'kepler_power.live'} & set(sys.modules)\n"
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)
