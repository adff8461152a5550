"""The command `kepler-power`: measures another command."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Optional

from . import __version__
from ._options import add_facility
from ._text import shown
from .errors import EstimateWarning, KeplerError
from .figures import Share
from .measurement import Measurement, measure

_NOT_FOUND, _NOT_EXECUTABLE, _USAGE = 127, 126, 2


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line; returns the exit status: that of the measured command."""
    parser = argparse.ArgumentParser(
        prog="kepler-power", description="Measure the energy and the carbon of a command and of all it starts."
    )
    parser.add_argument("--version", action="version", version=f"kepler-power {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    verb = verbs.add_parser(
        "measure",
        usage="kepler-power measure [options] -- COMMAND [ARGUMENT ...]",
        help="run a command and report the energy it used",
        description="Runs a command; the energy it used, with all it starts, goes to standard error or a file. Its exit status is passed on.",
    )
    verb.add_argument("--name", help="what to call it; the command's own name if not given")
    add_facility(verb)
    verb.add_argument("--json", action="store_true", help="report as JSON")
    verb.add_argument("--output", metavar="FILE", help="write it there instead of standard error")
    verb.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        verb.error("no command was given: kepler-power measure -- COMMAND [ARGUMENT ...]")
    with warnings.catch_warnings():
        # One line is enough on a terminal, without the source line that Python shows.
        warnings.showwarning = _say
        warnings.simplefilter("ignore" if options.json else "default", EstimateWarning)
        try:
            return _measure(options, command)
        except KeplerError as error:
            print(f"kepler-power: {error}", file=sys.stderr)
            return _USAGE


def _say(message: object, *rest: object, **more: object) -> None:
    print(f"kepler-power: {message}", file=sys.stderr)


def _measure(options: Any, command: Sequence[str]) -> int:
    measurement = measure(
        options.name or os.path.basename(command[0]),
        region=options.region,
        pue=options.pue,
        grid_intensity=options.grid_intensity,
    )
    with measurement:
        try:
            child = subprocess.Popen(command)
        except FileNotFoundError:
            print(f"kepler-power: there is no command `{shown(command[0])}`", file=sys.stderr)
            return _NOT_FOUND
        except OSError as error:
            print(f"kepler-power: `{shown(command[0])}` cannot be run: {error.strerror}", file=sys.stderr)
            return _NOT_EXECUTABLE
        # Ctrl-C reaches the whole group: the command decides what to do about it.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        forward = signal.signal(signal.SIGTERM, lambda signal, frame: child.terminate())
        try:
            status = child.wait()
        finally:
            signal.signal(signal.SIGINT, before)
            signal.signal(signal.SIGTERM, forward)
    share = measurement.children
    if options.json:
        figures = {
            "command": list(command),
            "exit_status": status,
            "command_joules": share.energy.joules,
            "command_watts": share.power.watts,
            "command_cpu_seconds": share.cpu_seconds,
            "command_co2e_grams": share.co2e.grams,
            **measurement.to_dict(),
        }
        # Readable in any language, with what acts on a terminal as JSON's own escapes.
        text = "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in json.dumps(figures, ensure_ascii=False))
    else:
        text = "\n".join(map(shown, _lines(measurement, share)))
    try:
        if options.output:
            with open(options.output, "w", encoding="utf-8") as file:
                file.write(text + "\n")
        else:
            print(text, file=sys.stderr)
    except OSError as error:
        print(f"kepler-power: cannot write {options.output}: {error.strerror}", file=sys.stderr)
        return status or 1
    # As a shell reports a command that a signal ended.
    return 128 - status if status < 0 else status


def _lines(measurement: Measurement, share: Share) -> list[str]:
    """The command's share, what it is a share of, and what that rests on."""
    co2e, error = measurement.co2e, measurement.error_ratio
    error_note = f", ± {error * 100:.0f} %" if 0.01 < error < 10 else ""
    where = f"region {co2e.region}" if co2e.region else "stated intensity"
    lines = [
        f"{measurement.name}: {share.energy} ({share.power}), {share.co2e}; "
        f"{share.cpu_seconds:.3g} CPU s in {measurement.seconds:.3g} s",
        f"whole machine: {measurement.energy} ({measurement.power}), {co2e}; {measurement.source.method} by {measurement.source.name}{error_note}",
        f"{co2e.grid_intensity:.3g} gCO2e/kWh: {where}{' (assumed: give --region)' if co2e.basis == 'assumed' else ''}; "
        f"PUE {co2e.pue:.3g} ({co2e.pue_basis})",
    ]
    return lines


if __name__ == "__main__":
    sys.exit(main())
