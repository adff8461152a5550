"""The magics `%energy` and `%%energy` of IPython and Jupyter."""

from __future__ import annotations

import shlex
from importlib import import_module
from typing import Any, Optional

from .errors import ConfigurationError
from .measurement import Measurement, measure

__all__ = ["register"]

_USAGE = "%%energy [NAME] [--region REGION] [--pue PUE] [--grid-intensity G_PER_KWH]"


def register(ipython: Any) -> None:
    """Registers the magics with a running IPython."""

    def energy(line: str, cell: Optional[str] = None) -> None:
        """Measures a cell (`%%energy NAME --region REGION`) or a statement (`%energy statement`).

        Shows the figures, and keeps the measurement as `_energy`.
        """
        # By name: its types are told in part only.
        display = import_module("IPython.display").display
        if cell is None:
            measurement, code = measure("statement"), line
        else:
            measurement, code = _parse(line), cell
        with measurement:
            ipython.run_cell(code, store_history=False)
        ipython.user_ns["_energy"] = measurement
        display(measurement)

    ipython.register_magic_function(energy, magic_kind="line_cell", magic_name="energy")


def _parse(line: str) -> Measurement:
    name, arguments = "cell", dict[str, Any]()
    words = iter(shlex.split(line))
    for word in words:
        if word == "--region":
            arguments["region"] = _value(word, words)
        elif word in ("--pue", "--grid-intensity"):
            arguments[word[2:].replace("-", "_")] = _number(word, words)
        elif word.startswith("-"):
            raise ConfigurationError(f"%%energy does not know `{word}`", f"usage: {_USAGE}")
        else:
            name = word
    return measure(name, **arguments)


def _value(option: str, words: Any) -> Any:
    value = next(words, None)
    if value is None:
        raise ConfigurationError(f"{option} is without a value", f"usage: {_USAGE}")
    return value


def _number(option: str, words: Any) -> Any:
    value = _value(option, words)
    try:
        return float(value)
    except ValueError:
        raise ConfigurationError(f"{option} is `{value}`", "it takes a number") from None
