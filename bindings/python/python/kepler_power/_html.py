"""Tables for notebooks."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from ._text import shown


def table(head: Iterable[str], rows: Iterable[Iterable[str]], note: str = "") -> str:
    """Cells of text as a table of HTML, with a note below it."""
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    below = f"<small>{escape(note)}</small>" if note else ""
    return f"<table><thead><tr>{_cells('th', head)}</tr></thead><tbody>{body}</tbody></table>{below}"


def _cells(tag: str, cells: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(shown(cell))}</{tag}>" for cell in cells)
