"""Text as people read it: what acts on a terminal or a page is escaped, and figures are written out."""

from __future__ import annotations

import pytest

from kepler_power import compliance
from kepler_power._html import table
from kepler_power._text import shown
from kepler_power.errors import UnknownRegionError
from kepler_power.quantities import _duration, _scaled

HOSTILE = "\x1b]0;x\x07\x9b31m\u202egpj.exe"


def test_names_of_others_are_shown_escaped() -> None:
    assert shown(HOSTILE) == "\\x1b]0;x\\x07\\x9b31m\\u202egpj.exe"
    assert shown("웹 서버") == "웹 서버"
    assert shown(HOSTILE) in table(["name"], [[HOSTILE]])


def test_errors_that_repeat_a_name_escape_it() -> None:
    with pytest.raises(UnknownRegionError) as raised:
        compliance.region(HOSTILE)
    assert not set("\x1b\x07\x9b\u202e") & set(str(raised.value))


@pytest.mark.parametrize(
    ("value", "unit", "digits", "text"),
    [
        (0.1284, "J", 2, "130 mJ"),
        (0.32, "J", 3, "320 mJ"),
        (12_345.0, "J", 3, "12.3 kJ"),
        (999.6, "J", 3, "1 kJ"),
        (5e12, "J", 3, "5000 GJ"),
        (0.0, "J", 3, "0 J"),
        (-0.5, "J", 3, "-500 mJ"),
        (float("nan"), "J", 3, "nan J"),
        (0.478, "s", 3, "478 ms"),
        (61.23, "s", 3, "61.2 s"),
        (1234.0, "s", 3, "20.6 min"),
        (12_345.0, "s", 3, "3.43 h"),
        (5e6, "s", 3, "1390 h"),
    ],
)
def test_no_figure_is_written_in_powers_of_ten(value: float, unit: str, digits: int, text: str) -> None:
    assert _scaled(value, unit, digits) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.000_04, "0.00004 s"), (0.4781, "0.478 s"), (119.0, "119 s"), (3600.0, "60 min"), (86_400.0, "24 h")],
)
def test_times_are_in_the_unit_that_people_say_them_in(seconds: float, text: str) -> None:
    assert _duration(seconds) == text
