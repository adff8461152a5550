"""The logger ``codecarbon``, which scripts configure by that name."""

from __future__ import annotations

import logging
from typing import Optional, Union

from ...errors import ConfigurationError

logger = logging.getLogger("codecarbon")
"""Warnings of the trackers. As CodeCarbon's it does not propagate; without handlers, warnings go to standard error."""
logger.propagate = False


def set_logger_level(level: Optional[Union[int, str]] = None) -> None:
    """Sets the level by name or number; ``None`` leaves it."""
    if level is None:
        return
    try:
        logger.setLevel(int(level) if str(level).isdigit() else str(level).upper())
    except ValueError as error:
        raise ConfigurationError(f"log_level = {level!r}", "give debug, info, warning, error or critical") from error


def set_logger_format(custom_preamble: Optional[str] = "") -> None:
    """Gives the logger one handler, to standard error, with name, level, time and a preamble before each message."""
    preamble = f"[{custom_preamble}]" if custom_preamble else ""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(f"[%(name)s %(levelname)s @ %(asctime)s]{preamble} %(message)s", "%H:%M:%S"))
    kept = [one for one in logger.handlers if isinstance(one, logging.FileHandler) or not isinstance(one, logging.StreamHandler)]
    logger.handlers = [*kept, handler]
