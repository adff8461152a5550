"""The command `kepler-power`: measures another command, and shows runs that have ended."""

from __future__ import annotations

import argparse
import os
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Optional

from . import __version__, _verbs
from ._command import Signals
from ._options import add_facility
from ._report import Command, Report, Run
from ._rest import Rest, busy_seconds
from ._text import shown
from .errors import EstimateWarning, KeplerError
from .measurement import Measurement, measure

_NOT_FOUND, _NOT_EXECUTABLE, _USAGE = 127, 126, 2
_VERSUS = "--vs"


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs the command line; returns the exit status: that of the measured command."""
    parser = argparse.ArgumentParser(
        prog="kepler-power", description="Measure the energy and the carbon of a command and of all it starts, and compare runs."
    )
    parser.add_argument("--version", action="version", version=f"kepler-power {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    verb = verbs.add_parser(
        "measure",
        usage="kepler-power measure [options] -- COMMAND [ARGUMENT ...] [--vs COMMAND [ARGUMENT ...]]",
        help="run a command and report the energy it used",
        description="Runs a command; the energy it used, with all it starts, goes to standard error or a file. Its exit status is passed on. "
        "The program `kepler measure` has the same words, and watches running processes, containers and units besides.",
    )
    verb.add_argument("-r", "--runs", type=_count, default=1, metavar="N", help="run it N times; mean, deviation and interval")
    verb.add_argument("-w", "--warmup", type=int, default=0, metavar="N", help="run it N times before, unmeasured")
    baseline = "measure the machine at rest for so long before (10s), and say what the command drew beyond that"
    verb.add_argument("--baseline", type=_seconds, metavar="DURATION", help=baseline)
    verb.add_argument("-i", "--ignore-failure", action="store_true", help="go on with further runs when one fails")
    verb.add_argument("--name", help="what to call the command in the report")
    add_facility(verb)
    verb.add_argument("--format", choices=("text", "json", "csv"), help="how the report is written; by the name of the file if not given")
    verb.add_argument("-o", "--output", metavar="FILE", help="write the report to this file")
    verb.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    _verbs.add(verbs)
    options = parser.parse_args(arguments)
    if options.verb != "measure":
        return _verbs.run(options)
    words = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not words:
        verb.error("no command was given: kepler-power measure -- COMMAND [ARGUMENT ...]")
    commands = _split(words)
    if len(commands) > 2 or not all(commands):
        verb.error(f"give two commands, one on either side of `{_VERSUS}`")
    if options.name and len(commands) > 1:
        verb.error("--name is of one command")
    with warnings.catch_warnings():
        # The report says what is estimated.
        warnings.simplefilter("ignore", EstimateWarning)
        try:
            return _measure(options, [Command(command, options.name) for command in commands])
        except KeplerError as error:
            print(f"kepler-power: {error}", file=sys.stderr)
            return _USAGE


def _split(words: Sequence[str]) -> list[list[str]]:
    """One command, or two with `--vs` between them."""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == _VERSUS:
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def _measure(options: Any, commands: Sequence[Command]) -> int:
    def begin() -> Measurement:
        place = {"region": options.region, "pue": options.pue, "grid_intensity": options.grid_intensity}
        return measure(options.name or os.path.basename(commands[0].arguments[0]), **place)

    failed = 0
    with Signals() as signals:
        try:
            for command in [command for command in commands for _ in range(options.warmup)]:
                status = signals.run(command.arguments)
                if status and not options.ignore_failure:
                    print(f"kepler-power: a warm-up of `{shown(command.name)}` failed", file=sys.stderr)
                    return _as_shell(status)
            rest = Rest(begin, lambda: signals.sleep(options.baseline)) if options.baseline else None
            for round in range(options.runs):
                # They take turns, A B B A: a drift of temperature or load weighs on both alike.
                for command in commands if round % 2 == 0 else reversed(commands):
                    busy, measurement = busy_seconds(), begin()
                    with measurement:
                        status = signals.run(command.arguments)
                    after = busy_seconds()
                    used = None if busy is None or after is None else after - busy
                    command.runs.append(Run(measurement, status, rest, used))
                    failed = failed or status
                    if status and not options.ignore_failure:
                        return _report(options, commands, rest, failed)
        except InterruptedError:
            print("kepler-power: interrupted during the baseline", file=sys.stderr)
            return 1
        except FileNotFoundError as error:
            print(f"kepler-power: there is no command `{shown(str(error.filename))}`", file=sys.stderr)
            return _NOT_FOUND
        except OSError as error:
            print(f"kepler-power: `{shown(str(error.filename))}` cannot be run: {error.strerror}", file=sys.stderr)
            return _NOT_EXECUTABLE
        return _report(options, commands, rest, failed)


def _report(options: Any, commands: Sequence[Command], rest: Optional[Rest], status: int) -> int:
    text = Report(commands, rest).render(_format(options))
    try:
        if options.output:
            with open(options.output, "w", encoding="utf-8") as file:
                file.write(text)
        else:
            print(text, end="", file=sys.stderr)
    except OSError as error:
        print(f"kepler-power: cannot write {options.output}: {error.strerror}", file=sys.stderr)
        return _as_shell(status) or 1
    return _as_shell(status)


def _as_shell(status: int) -> int:
    """As a shell reports a command that a signal ended."""
    return 128 - status if status < 0 else status


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 100_000:
        raise argparse.ArgumentTypeError("give 1 to 100000")
    return number


def _seconds(text: str) -> float:
    """`10s`, `500ms`, `2m`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    seconds = float(found[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[found[2]] if found else 0
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"`{text}`: give a length of time such as 10s, from 100ms to 24h")
    return seconds


def _format(options: Any) -> str:
    """As asked for, or as the name of the file says."""
    extension = os.path.splitext(options.output or "")[1]
    return options.format or {".json": "json", ".csv": "csv"}.get(extension, "text")


if __name__ == "__main__":
    sys.exit(main())
