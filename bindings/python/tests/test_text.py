"""What acts on a terminal or a page is escaped where people read it."""

from __future__ import annotations

import pytest

from kepler_power import compliance
from kepler_power._html import table
from kepler_power._text import shown
from kepler_power.errors import UnknownRegionError

HOSTILE = "\x1b]0;x\x07\x9b31m\u202egpj.exe"


def test_names_of_others_are_shown_escaped() -> None:
    assert shown(HOSTILE) == "\\x1b]0;x\\x07\\x9b31m\\u202egpj.exe"
    assert shown("웹 서버") == "웹 서버"
    assert shown(HOSTILE) in table(["name"], [[HOSTILE]])


def test_errors_that_repeat_a_name_escape_it() -> None:
    with pytest.raises(UnknownRegionError) as raised:
        compliance.region(HOSTILE)
    assert not set("\x1b\x07\x9b\u202e") & set(str(raised.value))
