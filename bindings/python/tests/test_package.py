"""The package as it is installed."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kepler_power
from kepler_power import _native

PACKAGE = Path(kepler_power.__file__).parent
ROOT = Path(__file__).parents[3]


def test_it_is_the_installed_wheel_that_is_tested() -> None:
    assert "site-packages" in PACKAGE.parts
    assert (PACKAGE / "py.typed").exists() and (PACKAGE / "_native.pyi").exists()
    tags = (importlib.metadata.distribution("kepler-power").read_text("WHEEL") or "").split("\n")
    assert any(re.fullmatch(r"Tag: cp39-abi3-manylinux_2_\d+_x86_64", tag) or "aarch64" in tag for tag in tags), tags
    assert kepler_power.__version__ == importlib.metadata.version("kepler-power")


def test_everything_promised_is_there() -> None:
    for name in kepler_power.__all__:
        assert getattr(kepler_power, name) is not None and name in dir(kepler_power)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = kepler_power.nonsense


def test_importing_it_imports_nothing_heavy() -> None:
    program = "import sys, kepler_power; print(*sys.modules)"
    modules = set(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split())
    heavy = {"numpy", "pandas", "polars", "pyarrow", "sklearn", "asyncio", "inspect", "dataclasses", "kepler_power.watch", "kepler_power.runs", "kepler_power.live", "kepler_power.forecast"}
    assert not modules & heavy, modules & heavy


def test_the_stub_and_the_compiled_module_say_the_same() -> None:
    stub = ast.parse((PACKAGE / "_native.pyi").read_text())
    declared = {}
    for node in stub.body:
        if isinstance(node, ast.ClassDef):
            declared[node.name] = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            declared[node.name] = set()
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            declared[node.target.id] = set()
    present = {name for name in vars(_native) if not name.startswith("__") or name == "__version__"}
    assert {name for name in declared if not name.startswith("_") or name == "__version__"} == present
    for name, members in declared.items():
        value = getattr(_native, name, None)
        if isinstance(value, type):
            public = {member for member in vars(value) if not member.startswith("__")}
            assert {member for member in members if not member.startswith("__")} == public, name


def test_every_public_thing_has_a_docstring() -> None:
    for name in kepler_power.__all__:
        value = getattr(kepler_power, name)
        if isinstance(value, type) or callable(value):
            assert value.__doc__, name
            for member, inner in vars(value).items() if isinstance(value, type) and value.__module__ != "builtins" else ():
                if not member.startswith("_") and (callable(inner) or isinstance(inner, property)):
                    assert inner.__doc__, f"{name}.{member}"


# Examples of the other modules need files or a running exporter.
DOCUMENTED = ["", ".decorator", ".distributed._tasks", ".integrations._metrics", ".measurement", ".watch"]


@pytest.mark.parametrize("name", [f"kepler_power{name}" for name in DOCUMENTED])
def test_examples_in_docstrings_are_true(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert failed == 0 and tried > 0


EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_examples_run(example: Path, tmp_path: Path) -> None:
    needs = re.findall(r"^# needs: (.+)$", example.read_text(), flags=re.MULTILINE)
    for package in ",".join(needs).replace(" ", "").split(","):
        if package:
            pytest.importorskip(package)
    done = subprocess.run([sys.executable, str(example)], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "an example shows what it found"


@pytest.mark.parametrize("page", ["README.md", "docs/python.md", "docs/python-tasks.md", "bindings/python/README.md"])
def test_python_in_the_documentation_runs(page: str, tmp_path: Path) -> None:
    path = ROOT / page
    if not path.exists():
        pytest.skip("not in a checkout")
    blocks = re.findall(r"^```python\n(.*?)^```", path.read_text(), flags=re.DOTALL | re.MULTILINE)
    assert blocks, f"{page} shows no Python"
    for block in blocks:
        for package in re.findall(r"^(?:import|from) (numpy|pandas|polars|pyarrow|sklearn)", block, flags=re.MULTILINE):
            pytest.importorskip(package)
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", block], capture_output=True, text=True, cwd=tmp_path, timeout=120
        )
        assert done.returncode == 0, f"{block}\n{done.stderr}"
