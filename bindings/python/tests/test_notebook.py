"""In a notebook, as Jupyter runs it."""

from __future__ import annotations

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")


def run(*cells: str):  # type: ignore[no-untyped-def]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", allow_errors=True).execute()
    return [cell.outputs for cell in notebook.cells]


def html(outputs) -> str:  # type: ignore[no-untyped-def]
    return "".join(output.data.get("text/html", "") for output in outputs if "data" in output)


def text(outputs) -> str:  # type: ignore[no-untyped-def]
    return "".join(output.get("text", "") + "\n".join(output.get("traceback", [])) for output in outputs)


def test_cells_are_measured_and_shown_as_a_table() -> None:
    shown = run(
        "%load_ext kepler_power",
        "%%energy training --region eu-north-1\nx = sum(range(1_000_000))\nprint('printed')\nx",
        "x, _energy.name, _energy.energy.joules > 0, _energy.co2e.region",
        "%energy sum(range(1000))",
        "%%energy\n1 / 0",
        "_energy.is_running",
        "%%energy --region nowhere-1\npass",
        "with __import__('kepler_power').measure('by hand') as m: pass\nm",
        "%%energy 'two words' --region=DE --pue=1.5\npass",
        "%%energy --area=DE\npass",
        "%%energy\nimport asyncio\nawait asyncio.sleep(0)",
    )
    assert "<table>" in html(shown[1]) and "training" in html(shown[1]) and "eu-north-1" in html(shown[1])
    assert "printed" in text(shown[1]) and any("499999500000" in str(output.get("data")) for output in shown[1])
    assert "(499999500000, 'training', True, 'eu-north-1" in str(shown[2])
    assert "statement" in html(shown[3])
    assert "ZeroDivisionError" in text(shown[4]) and "<table>" in html(shown[4])
    assert "False" in str(shown[5])
    assert "UnknownRegionError" in text(shown[6]) and "nearest" in text(shown[6])
    assert "by hand" in html(shown[7])
    assert "two words" in html(shown[8]) and "PUE 1.5" in html(shown[8])
    assert "ConfigurationError" in text(shown[9]) and "--area" in text(shown[9]) and "usage" in text(shown[9])
    assert "top-level await" in text(shown[10]) and "async with" in text(shown[10])


def test_a_running_cell_shows_its_watts_and_a_repeated_one_its_spread() -> None:
    shown = run(
        "%load_ext kepler_power\nfrom kepler_power import live\nlive.INTERVAL = 0.05\nimport time",
        "%%energy training\nend = time.monotonic() + 20\n"
        "while time.monotonic() < end and not any(t.name == 'kepler-power-progress' for t in __import__('threading').enumerate()): pass\n"
        "time.sleep(0.5)",
        "len(_energy.curve) > 2",
        "%%energy --no-live\ntime.sleep(0.2)",
        "len(_energy.curve)",
        "%%energy sums --repeat 3 --region=SE\nx = sum(range(300_000))",
        "len(_energy.runs), _energy.energy.half_width is not None, 'sums ×3' in str(_energy)",
        "%%energy --repeat 3\n1 / 0",
        "%%energy --repeat 0\npass",
        "with __import__('kepler_power').measure('by hand', progress=True) as m: time.sleep(0.3)\nm",
    )
    # The table of the end with the curve; what was shown meanwhile is gone from the cell.
    assert html(shown[1]).count("<table>") == 1 and "Power over" in html(shown[1]) and "True" in str(shown[2])
    assert sum("text/html" in output.get("data", {}) for output in shown[1]) == 2, "one output is written over and over"
    assert html(shown[3]).count("<svg") == 1 and "0" in str(shown[4])
    assert "±" in html(shown[5]) and "mean" in html(shown[5]) and "SE" not in text(shown[5])
    assert "(3, True, True)" in str(shown[6])
    assert text(shown[7]).count("division by zero") == 1, "a cell that fails is not run again"
    assert "ConfigurationError" in text(shown[8]) and "--repeat 0" in text(shown[8])
    assert "by hand" in html(shown[9]) and "Power over" in html(shown[9])
