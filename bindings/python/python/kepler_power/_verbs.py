"""What the command `kepler-power` does with runs that have ended: a board, a comparison, the report of a job."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from ._text import shown
from .errors import KeplerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .runs import Runs

_USAGE = 2
_FORMATS = ("text", "markdown", "latex", "csv")


def add(verbs: Any) -> None:
    """Adds them to the command line."""
    files = "CSV and JSON of m.save(), `measure -o` and CodeCarbon, or directories of them and of ranks"
    board = _verb(verbs, "board", "show finished runs as a page", "Serves a page of finished runs on this machine, or writes it to a file.")
    board.add_argument("paths", nargs="+", metavar="FILE", help=files)
    board.add_argument("-o", "--output", metavar="FILE", help="write the page to this file instead; it needs nothing else")
    board.add_argument("--port", type=int, default=0, help="of 127.0.0.1; a free one where it is not given")
    board.add_argument("--open", action="store_true", help="open a browser")
    board.set_defaults(act=_board)
    compare = _verb(verbs, "compare", "compare finished runs", "A table of finished runs with their error; runs of one name are repeats.")
    compare.add_argument("paths", nargs="+", metavar="FILE", help=files)
    compare.add_argument("--format", choices=_FORMATS, default="text")
    compare.set_defaults(act=_compare)
    job = _verb(verbs, "job", "add up the ranks of a distributed run", "What the ranks of a job used, no machine counted twice.")
    job.add_argument("directory", metavar="DIRECTORY", help="where the ranks wrote")
    job.add_argument("--job", help="which one, where there are several")
    job.add_argument("--format", choices=("text", "json"), default="text")
    job.set_defaults(act=_job)


def _verb(verbs: Any, name: str, help: str, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=help, description=description)
    return parser


def run(options: Any) -> int:
    """Does what was asked for."""
    try:
        return int(options.act(options))
    except KeplerError as error:
        print(f"kepler-power: {shown(str(error))}", file=sys.stderr)
        return _USAGE
    except KeyboardInterrupt:
        return 0


def _runs(paths: Sequence[str]) -> Runs:
    """The runs of some files, once it was said what could not be read, or that there are none."""
    from .runs import read

    runs = read(paths)
    _say(runs.problems)
    if not runs:
        print("kepler-power: no runs were found", file=sys.stderr)
    return runs


def _board(options: Any) -> int:
    from .board import Server, page

    runs = _runs(options.paths)
    if not runs:
        return _USAGE
    if options.output:
        return _write(options.output, page(runs))
    server = Server(options.paths, options.port)
    print(f"{len(runs)} runs at {server.url} (Ctrl-C ends it)", flush=True)
    if options.open:
        import webbrowser

        webbrowser.open(server.url)
    server.serve()
    return 0


def _compare(options: Any) -> int:
    from .runs import compare

    runs = _runs(options.paths)
    if not runs:
        return _USAGE
    print(getattr(compare(runs), options.format)(), end="")
    return 0


def _job(options: Any) -> int:
    from .distributed import report

    found = report(options.directory, options.job)
    print(json.dumps(found.to_dict(), indent=2) if options.format == "json" else str(found))
    return 0


def _say(problems: list[str]) -> None:
    for problem in problems[:20]:
        print(f"kepler-power: left out: {shown(problem)}", file=sys.stderr)
    if len(problems) > 20:
        print(f"kepler-power: and {len(problems) - 20} more", file=sys.stderr)


def _write(path: str, text: str) -> int:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        print(f"kepler-power: cannot write {path}: {error.strerror}", file=sys.stderr)
        return 1
    return 0
