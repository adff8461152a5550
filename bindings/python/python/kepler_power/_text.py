"""Text of others as people may see it."""

from __future__ import annotations


def shown(text: str) -> str:
    """Without what acts on a terminal or a page, or is not seen: control characters and marks of writing direction are escaped."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
