"""What a measurement looks like: a chart in a notebook, a figure, a page."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from powercap import PowercapTree

import kepler_power
from kepler_power.errors import MissingDependencyError

HOSTILE = "<img src=x onerror=alert(1)>\u202e"


class Page(HTMLParser):
    """The elements of a page, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in ("src", "href", "data")]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def measured(tree: PowercapTree) -> kepler_power.measurement.Measurement:
    counter = tree.sysfs / "class/powercap/intel-rapl:0/energy_uj"
    with kepler_power.measure(HOSTILE, region="SE", host=kepler_power.Host(sysfs=str(tree.sysfs))) as m:
        with m.phase("load"):
            counter.write_text("4234567\n")
        counter.write_text("6234567\n")
    return m


def test_a_notebook_shows_a_chart_with_the_figures_of_the_table(measured: kepler_power.measurement.Measurement) -> None:
    html = measured._repr_html_()
    page = Page(html)
    assert page.tags.count("svg") == 1 and "img" not in page.tags and not page.fetched
    assert page.tags.count("rect") == 5, "machine, process, children, all else, a phase"
    assert "5 J" in page.text and "load" in page.text
    assert "\u202e" not in html


def test_a_page_needs_nothing_else_and_escapes_what_it_is_named(measured: kepler_power.measurement.Measurement, tmp_path: Path) -> None:
    measured.report(tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text()
    page = Page(text)
    assert not page.fetched and "script" not in page.tags and "img" not in page.tags
    assert "default-src 'none'" in text
    assert "measured by powercap" in page.text and "SE (stated)" in page.text and "5 J" in page.text


def test_a_figure_has_the_same_bars(measured: kepler_power.measurement.Measurement) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    ax = measured.plot()
    widths = [bar.get_width() for bar in ax.patches]
    assert widths[0] == pytest.approx(5.0) and sum(widths[1:4]) == pytest.approx(5.0)
    assert "energy (J)" in ax.get_xlabel()
    assert measured.plot(ax) is ax


def test_without_matplotlib_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None; sys.modules['matplotlib.pyplot'] = None\n"
        "import kepler_power\nwith kepler_power.measure() as m: pass\nm.plot()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert MissingDependencyError.__name__ in done.stderr and "pip install matplotlib" in done.stderr
