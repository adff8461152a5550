"""Where a running measurement is shown: below the cell of a notebook, or in a line of the terminal."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, Callable, Optional, TextIO

from ._chart import curve_svg
from ._html import table
from .live import Progress, Show

# Moments that the curve below a running cell has.
_MOMENTS = 120


def display() -> tuple[Optional[Show], Optional[Callable[[], object]]]:
    """Where a person looks: the notebook's cell, the terminal, or nowhere. What is written to a file gets no progress."""
    if "IPython" in sys.modules:
        found = _cell_display()
        if found is not None:
            return found
    stream: Optional[TextIO] = sys.stderr
    try:
        is_terminal = stream is not None and stream.isatty()
    except ValueError:
        # It was closed.
        is_terminal = False
    if stream is None or not is_terminal:
        return None, None
    line = _Line(stream)
    return line.show, line.clear


class _Line:
    """One line of a terminal, written over and over."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def _write(self, text: str) -> None:
        try:
            self._stream.write(f"\r\x1b[2K{text}")
            self._stream.flush()
        except (OSError, ValueError):
            # The terminal is gone; the measurement is not.
            pass

    def show(self, progress: Progress) -> None:
        """As much as fits."""
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            width = 80
        self._write(str(progress)[: max(1, width - 1)])

    def clear(self) -> None:
        """Leaves nothing behind."""
        self._write("")


def has_cells(ipython: Any) -> bool:
    """Whether output goes below a cell, as in Jupyter, and not to a terminal."""
    return hasattr(ipython, "kernel")


def _cell_display() -> Optional[tuple[Show, Callable[[], object]]]:
    """What shows a running measurement below the cell, and what removes it; none outside of a notebook.

    By the display that every notebook has: no widget has to be installed, neither here nor in the browser.
    """
    ipython = sys.modules["IPython"].get_ipython()
    if ipython is None or not has_cells(ipython):
        return None
    display: Any = import_module("IPython.display")
    points: list[tuple[float, float]] = []
    handles: list[Any] = []

    def show(progress: Progress) -> None:
        points.append((progress.seconds, progress.watts))
        recent = points[-_MOMENTS:]
        start = recent[0][0] if len(points) > _MOMENTS else 0.0
        text = table((), [[str(progress)]]) + curve_svg([(seconds - start, watts) for seconds, watts in recent])
        if handles:
            handles[0].update(display.HTML(text))
        else:
            # At the first second: a cell that is over before leaves nothing behind.
            handles.append(display.display(display.HTML(text), display_id=True))

    def clear() -> None:
        for handle in handles:
            handle.update(display.HTML(""))

    return show, clear
