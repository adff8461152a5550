"""Finished runs: from files into tables, papers and a page."""

from __future__ import annotations

import csv
import http.client
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from powercap import PowercapTree

import kepler_power
from kepler_power import runs
from kepler_power.board import Server, page
from kepler_power.runs import Run

PROGRAM = Path(sys.executable).with_name("kepler-power")
# As CodeCarbon 3.3 writes it: no word of methods or errors.
CODECARBON = (
    "timestamp,project_name,run_id,experiment_id,duration,emissions,emissions_rate,cpu_power,gpu_power,ram_power,cpu_energy,gpu_energy,"
    "ram_energy,energy_consumed,water_consumed,country_name,country_iso_code,region,cloud_provider,cloud_region,os,python_version,"
    "codecarbon_version,cpu_count,cpu_model,gpu_count,gpu_model,longitude,latitude,ram_total_size,tracking_mode,on_cloud,pue,wue\n"
    "2026-03-01T10:00:00,sweep,a,b,3600,0.05,0.00001,10,0,5,0.08,0,0.02,0.1,0,Germany,DEU,,,,Linux,3.11,3.3.2,8,x,0,,,,16,machine,N,1.0,0\n"
)


def saved(tree: PowercapTree, path: Path, name: str, *joules: float) -> None:
    for one in joules:
        with kepler_power.measure(name, host=tree.host, region="SE") as m:
            tree.draw(package=one)
        m.save(path)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(PROGRAM), *map(str, arguments)], capture_output=True, text=True, timeout=60)


def test_what_is_saved_is_read_again(tree: PowercapTree, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    saved(tree, path, "=cmd()\n", 2.0)
    with kepler_power.measure("guess", meters=["model"], grid_intensity=100) as m:
        sum(range(1_000_000))
    m.save(path)
    first, second = runs.read([path])
    assert (first.name, first.energy_joules, first.method, first.error_ratio) == ("=cmd()\\n", 2.0, "measured", pytest.approx(first.error_ratio))
    assert (first.region, first.region_basis, first.scope) == ("SE", "stated", "machine") and first.started.startswith("20")
    assert second.method == "estimated" and second.error_ratio is not None and second.error_ratio > 0.1 and second.grid_intensity == 100
    assert next(csv.reader(path.read_text().splitlines()[1:]))[0].startswith("'="), "a spreadsheet would run it"
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    with pytest.raises(kepler_power.DataError, match="other columns"):
        m.save(other)
    assert other.read_text() == "a,b\n1,2\n"


def test_runs_of_all_programs_are_read(tree: PowercapTree, tmp_path: Path) -> None:
    codecarbon = tmp_path / "emissions.csv"
    codecarbon.write_text(CODECARBON)
    report, table = tmp_path / "report.json", tmp_path / "report.csv"
    for output in (report, table):
        assert run("measure", "--region=SE", "-o", output, "--", "sleep", "0.1").returncode == 0
    found = runs.read([codecarbon, report, table])
    assert found.problems == [] and [one.name for one in found][0] == "sweep" and len(found) == 3
    sweep = found[0]
    assert (sweep.energy_joules, sweep.co2e_grams) == (pytest.approx(3.6e5), pytest.approx(50))
    assert (sweep.method, sweep.error_ratio, sweep.grid_intensity, sweep.region) == ("unstated", None, pytest.approx(500), "DEU")
    assert all(one.name == "sleep" or one.name.startswith("sleep") for one in found[1:]) and found[1].region == "SE" and found[1].scope == "process"
    ours = tmp_path / "ours"
    ours.mkdir()
    tracker = kepler_power.codecarbon.OfflineEmissionsTracker(country_iso_code="SWE", project_name="ours", output_dir=str(ours), log_level="error")
    with tracker:
        sum(range(1_000_000))
    (one,) = runs.read([ours])
    assert one.name == "ours" and one.method != "unstated" and one.region and one.source.startswith("kepler-power")


BAD = {
    "no such file": (None, "no such file"),
    "other columns": ("a,b\n1,2\n", "not those of runs"),
    "empty": ("", "not those of runs"),
    "bytes": (b"\xff\xfe\x00duration", "codec"),
    "json of something else": ('{"a": 1}', "no report"),
    "broken json": ('{"a": ', "Expecting"),
    "a word for a figure": ("duration,emissions,energy_consumed\n1,much,2\n", "emissions = `much` is not a number"),
    "less than nothing": ("duration,emissions,energy_consumed\n1,1,-2\n", "energy_consumed = `-2` cannot be"),
    "infinite": ("duration,emissions,energy_consumed\n1,1,inf\n", "cannot be"),
    "too many cells": ("duration,emissions,energy_consumed\n1,1,1,1\n", "as many cells"),
    "cut off": ("duration,emissions,energy_consumed\n1,1\n", "as many cells"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files_and_rows_are_named_and_the_rest_is_read(kind: str, tmp_path: Path) -> None:
    text, problem = BAD[kind]
    bad, good = tmp_path / "bad.csv", tmp_path / "good.csv"
    if text is not None:
        bad.write_bytes(text if isinstance(text, bytes) else text.encode())
    good.write_text("duration,emissions,energy_consumed\n1,1,1\n2,,\n")
    found = runs.read([bad, good])
    assert len(found) == 2 and found[1].energy_joules is None, "an empty cell is not known, not zero"
    (said,) = found.problems
    assert "bad.csv" in said and problem in said


def a_run(name: str, joules: float | None, **others: object) -> Run:
    return Run(name, "test", joules, **{"method": "measured", "source": "powercap", "seconds": 10.0, "co2e_grams": 1.0, **others})  # type: ignore[arg-type]


def test_repeats_are_compared_with_their_error() -> None:
    table = runs.compare(
        [
            *(a_run("old", joules) for joules in (100.0, 102.0, 98.0)),
            *(a_run("new", joules) for joules in (80.0, 81.0, 79.0)),
            *(a_run("like", joules) for joules in (101.0, 103.0, 99.0)),
            a_run("guess", 50.0, method="estimated", error_ratio=0.6),
            a_run("foreign", 50.0, method="unstated"),
            a_run("lost", None),
        ]
    )
    assert [table.against_first(group) for group in table.groups] == [
        *("-", "-20.0 %", "+1.0 %, within the error", "-50.0 %, within the error", "-50.0 %, error unknown", "unknown")
    ]
    assert table.groups[0].spread_joules == pytest.approx(4.30265 * 2 / 3**0.5, abs=1e-3)
    assert table.groups[3].error_joules == pytest.approx(58.8, abs=0.1)
    assert "lost" in table.text() and table.text().splitlines()[6].count("unknown") >= 3
    assert table.groups[0].watts == pytest.approx(10)


def test_tables_escape_what_names_hold() -> None:
    table = runs.compare([a_run("a|b_<c>&%$\x1b[1m", 1.0), a_run("b", 2.0)])
    assert "a\\|b" in table.markdown() and "<c>" not in table.markdown() and table.markdown().count("\n") == 4
    latex = table.latex()
    assert "\\_\\ensuremath{<}c\\ensuremath{>}\\&\\%\\$" in latex and "\\begin{tabular}" in latex and latex.count("\\\\\n") == 3
    assert "\x1b" not in table.text() + latex + table.markdown() + table.csv()
    assert "&lt;c&gt;" in table._repr_html_()
    assert [row["energy_joules"] for row in csv.DictReader(table.csv().splitlines())] == ["1.0", "2.0"]


def test_a_sentence_for_a_paper_says_what_figures_rest_on(tree: PowercapTree) -> None:
    with kepler_power.measure("50%_run", host=tree.host, region="SE", pue=1.2) as m:
        tree.draw(package=12.34)
    text = m.latex()
    assert "50\\%\\_run" in text and "12.3\\,J" in text and "measured by powercap" in text and "PUE of 1.2" in text
    assert "gCO\\textsubscript{2}e" in text and "assumed)" in text and "which is assumed" not in text
    with kepler_power.measure("guess", meters=["model"]) as m:
        sum(range(1_000_000))
    assert "estimated by model, \\ensuremath{\\pm}" in m.latex() and "which is assumed" in m.latex()
    assert not re.search(r"(?<!\\)[%&#$_]", m.latex())


def test_the_commands_compare_and_board_show_runs(tree: PowercapTree, tmp_path: Path) -> None:
    path, output = tmp_path / "runs.csv", tmp_path / "board.html"
    saved(tree, path, "old", 10.0, 11.0)
    saved(tree, path, "new", 1.0, 1.1)
    done = run("compare", path)
    assert done.returncode == 0 and "old" in done.stdout and "-90" in done.stdout
    for format in ("markdown", "latex", "csv"):
        assert "new" in run("compare", "--format", format, path).stdout
    done = run("board", path, tmp_path / "missing.csv", "-o", output)
    assert done.returncode == 0 and "missing.csv: there is no such file" in done.stderr
    assert "old" in output.read_text()
    assert run("board", tmp_path / "missing.csv").returncode == 2 and run("compare", tmp_path).returncode in (0, 2)
    assert "cannot write" in run("board", path, "-o", tmp_path / "no/such/board.html").stderr


def test_the_page_needs_nothing_else_and_runs_nothing_of_the_files(tmp_path: Path) -> None:
    path = tmp_path / "<b>.csv"
    path.write_text('project_name,duration,emissions,energy_consumed\n"<script>alert(1)</script>""\x1b",1,1,1\nx,2,,\n')
    found = runs.read([path, tmp_path / "<i>.csv"])
    text = page(found)
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text and "<b>" not in text and "<i>" not in text and "\x1b" not in text
    assert not re.search(r"(src|href)=|url\(|@import|https?://", text)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy and "default-src 'none'" in policy[1] and "unsafe" not in policy[1]
    assert "partial: unknown of 1 runs" in text
    assert page(runs.Runs())


def request(server: Server, host: str | None, method: str = "GET", path: str = "/") -> tuple[int, str, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    if host is not None:
        connection.putheader("Host", host)
    connection.endheaders()
    response = connection.getresponse()
    return response.status, response.read().decode(), dict(response.getheaders())


def test_the_board_is_served_to_this_machine_under_its_own_name_only(tree: PowercapTree, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    saved(tree, path, "first", 1.0)
    with Server([path]) as server:
        host = f"127.0.0.1:{server.port}"
        status, text, headers = request(server, host)
        assert status == 200 and "first" in text and headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        saved(tree, path, "second", 1.0)
        assert "second" in request(server, f"localhost:{server.port}")[1], "files are read again"
        for stranger in ("evil.example", f"evil.example:{server.port}", "127.0.0.1", "", None):
            status, text, _ = request(server, stranger)
            assert status == 421 and "first" not in text
        assert request(server, host, path="/../../etc/passwd")[0] == 404
        assert request(server, host, method="POST")[0] == 501
        assert request(server, host, method="HEAD")[:2] == (200, "")
        with pytest.raises(kepler_power.SourceError, match="cannot be listened at"):
            Server([path], server.port)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as idle:
            # A silent client holds up no other.
            assert request(server, host)[0] == 200
            idle.sendall(b"nonsense\r\n\r\n")
            assert b"400" in idle.recv(1000)


def test_json_of_a_report_with_bad_parts_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for document in ({"measurements": [1]}, {"measurements": [{"runs": [1]}]}, {"measurements": [{"runs": [{"energy_joules": "x"}]}], "site": 3}):
        path.write_text(json.dumps(document))
        found = runs.read([path])
        assert len(found) == 0 and len(found.problems) == 1
