"""The magics `%energy` and `%%energy` of IPython and Jupyter."""

from __future__ import annotations

import argparse
import shlex
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, Optional, Union

from ._display import has_cells
from ._options import add_facility
from .errors import ConfigurationError
from .measurement import Measurement, measure

if TYPE_CHECKING:
    from .repeats import Repeats

__all__ = ["register"]

# Times that a cell may be repeated.
_REPEATS = 10_000


class _Parser(argparse.ArgumentParser):
    """Raises instead of ending the program, which here is the notebook."""

    def error(self, message: str) -> NoReturn:
        raise ConfigurationError(message, self.format_usage().strip())


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="%%energy", add_help=False)
    parser.add_argument("name", nargs="?", default="cell", metavar="NAME")
    add_facility(parser)
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="run the cell so often, and show mean and spread")
    parser.add_argument("--no-live", action="store_true", help="show nothing while the cell runs")
    return parser


def register(ipython: Any) -> None:
    """Registers the magics with a running IPython."""

    def energy(line: str, cell: Optional[str] = None) -> None:
        """Measures a cell (`%%energy NAME --region REGION --repeat N`) or a statement (`%energy statement`).

        Shows the figures, and keeps the measurement as `_energy`; of a repeated cell all of them, with mean and spread. A cell that runs for more
        than a second shows its watts meanwhile.
        """
        # By name: only a part of it has types.
        display = import_module("IPython.display").display
        options = {} if cell is None else _options(line)
        code, times = line if cell is None else cell, options.pop("repeat", 1)
        name, is_live = options.pop("name", "statement"), not options.pop("no_live", False)
        if _awaits(ipython, code):
            remedy = "write `async with kepler_power.measure() as m:` in the cell instead"
            raise ConfigurationError("%energy cannot measure a cell with a top-level await", remedy)
        measurements: list[Measurement] = []
        while len(measurements) < times:
            # A line that a terminal shows would be in the way of what the cell prints.
            measurement = measure(name, progress=is_live and has_cells(ipython), **options)
            with measurement:
                done = ipython.run_cell(code, store_history=False)
            measurements.append(measurement)
            if not done.success:
                break
        found = _shown(measurements)
        ipython.user_ns["_energy"] = found
        display(found)

    ipython.register_magic_function(energy, magic_kind="line_cell", magic_name="energy")


def _awaits(ipython: Any, code: str) -> bool:
    try:
        transformed = ipython.transform_cell(code)
    except SyntaxError:
        # Running it reports what is wrong.
        return False
    return bool(ipython.should_run_async(code, transformed_cell=transformed))


def _options(line: str) -> dict[str, Any]:
    given = vars(_parser().parse_args(shlex.split(line)))
    if not 1 <= given["repeat"] <= _REPEATS:
        raise ConfigurationError(f"--repeat {given['repeat']} is not possible", f"give 1 to {_REPEATS}")
    return given


def _shown(measurements: list[Measurement]) -> Union[Measurement, Repeats]:
    if len(measurements) == 1:
        return measurements[0]
    from .repeats import Repeats

    return Repeats(measurements)
