"""The magics `%energy` and `%%energy` of IPython and Jupyter."""

from __future__ import annotations

import argparse
import shlex
from importlib import import_module
from typing import Any, NoReturn, Optional

from ._options import add_facility
from .errors import ConfigurationError
from .measurement import Measurement, measure

__all__ = ["register"]


class _Parser(argparse.ArgumentParser):
    """Raises instead of ending the program, which here is the notebook."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(message, self.format_usage().strip())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="%%energy", add_help=False)
    parser.add_argument("name", nargs="?", default="cell", metavar="NAME")
    add_facility(parser)
    return parser


def register(ipython: Any) -> None:
    """Registers the magics with a running IPython."""

    def energy(line: str, cell: Optional[str] = None) -> None:
        """Measures a cell (`%%energy NAME --region REGION`) or a statement (`%energy statement`).

        Shows the figures, and keeps the measurement as `_energy`.
        """
        # By name: only a part of it has types.
        display = import_module("IPython.display").display
        if cell is None:
            measurement, code = measure("statement"), line
        else:
            measurement, code = _measurement(line), cell
        if _awaits(ipython, code):
            remedy = "write `async with kepler_power.measure() as m:` in the cell instead"
            raise ConfigurationError("%energy cannot measure a cell with a top-level await", remedy)
        with measurement:
            ipython.run_cell(code, store_history=False)
        ipython.user_ns["_energy"] = measurement
        display(measurement)

    ipython.register_magic_function(energy, magic_kind="line_cell", magic_name="energy")


def _awaits(ipython: Any, code: str) -> bool:
    try:
        transformed = ipython.transform_cell(code)
    except SyntaxError:
        # Running it reports what is wrong.
        return False
    return bool(ipython.should_run_async(code, transformed_cell=transformed))


def _measurement(line: str) -> Measurement:
    given = vars(_parser().parse_args(shlex.split(line)))
    return measure(given.pop("name"), **given)
