"""What the generated tools rest on: answers as classes, arguments as JSON."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Optional, TypeVar, Union, cast

from . import _native
from .errors import ConfigurationError
from .settings import current

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._native import Facility, Host, Observation
    from .watch import Monitor

    Source = Union[str, Observation, Monitor]
    Intensity = Union[
        str,
        "IntensityProvider",
        os.PathLike[str],
        Mapping[datetime.datetime, float],
        Sequence[float],
        Iterable[tuple[datetime.datetime, float]],
        Iterable[tuple[datetime.datetime, datetime.datetime, float]],
    ]

Length = Union[str, float, datetime.timedelta]
"""A length of time: text such as ``5m``, ``1h30m`` or ``7d``, a number of seconds, or a timedelta."""

Moment = Union[str, datetime.datetime, datetime.timedelta]
"""A time: a datetime, text in RFC 3339, a local time of the region, or a length from now."""

_Answer = TypeVar("_Answer", bound="Answer")


@dataclass(frozen=True)
class Answer:
    """Something that a tool answers: attributes with types, equality, pickle, and :meth:`to_dict`."""

    # How values of JSON become those of attributes; what is not here is taken as it is.
    _convert: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}
    # Whether to_dict leaves out what is None.
    _omit_none: ClassVar[bool] = False

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From a dictionary as :meth:`to_dict` gives it, or JSON of the same shape from the REST API or MCP."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            value = data.get(field.name)
            convert = cls._convert.get(field.name)
            values[field.name] = convert(value) if convert is not None and value is not None else value
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """As plain data, in the shape of the tool's JSON: times as RFC 3339 text, tuples as lists."""
        values = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        if self._omit_none:
            return {name: value for name, value in values.items() if value is not None}
        return values


def _plain(value: object) -> Any:
    if isinstance(value, Answer):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(part) for part in cast("Sequence[object]", value)]
    if isinstance(value, datetime.datetime):
        return rfc3339(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def one(kind: type[_Answer]) -> Callable[[Mapping[str, Any]], _Answer]:
    """From JSON to an answer."""
    return kind.from_dict


def plain(value: Any) -> Any:
    """What JSON holds is what Python holds."""
    return value


def many(convert: Callable[[Any], Any]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """From a list of JSON to a tuple."""
    return lambda values: tuple(map(convert, values))


def instant(text: str) -> datetime.datetime:
    """From RFC 3339; what is finer than a microsecond is cut off."""
    head, _, rest = text.partition(".")
    if rest:
        digits = rest.rstrip("Zz")
        return _parse(f"{head}+00:00").replace(microsecond=int(digits[:6].ljust(6, "0")))
    return _parse(text.replace("Z", "+00:00"))


def _parse(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def rfc3339(time: datetime.datetime) -> str:
    """As RFC 3339. A time without a time zone is taken for UTC, as in files of intensities."""
    zoned = time.replace(tzinfo=datetime.timezone.utc) if time.tzinfo is None else time
    text = zoned.astimezone(datetime.timezone.utc).isoformat()[: -len("+00:00")]
    return (text.rstrip("0") if "." in text else text) + "Z"


def length(value: Length | None) -> str | None:
    """A length of time as the tools read it."""
    if value is None or isinstance(value, str):
        return value
    seconds = value.total_seconds() if isinstance(value, datetime.timedelta) else float(value)
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"


def moment(value: Moment | None) -> str | None:
    """A time as the tools read it."""
    if isinstance(value, datetime.datetime):
        return rfc3339(value)
    return length(value)


@dataclass(frozen=True)
class IntensityProvider:
    """A provider of grid intensities, with all that it is asked by; as ``intensity=`` of the tools.

    A provider's name alone (``intensity="electricity-maps"``) takes the secrets from the environment:
    ``ELECTRICITY_MAPS_TOKEN``, ``WATTTIME_USER``, ``WATTTIME_PASSWORD``; and ``KEPLER_INTENSITY_URL``,
    ``KEPLER_INTENSITY_REGION``, ``KEPLER_INTENSITY_METHOD`` as ``kepler serve`` does.
    """

    name: Literal["electricity-maps", "watttime", "uk"]
    """Which: Electricity Maps v3, WattTime v3 (``co2_moer``), or the Carbon Intensity API of Great Britain."""
    url: Optional[str] = None
    """Where it is asked, if not at its public address."""
    token: Optional[str] = field(default=None, repr=False)
    """The token of Electricity Maps."""
    user: Optional[str] = None
    """The user of WattTime."""
    password: Optional[str] = field(default=None, repr=False)
    """The password of WattTime."""
    regions: Mapping[str, str] = field(default_factory=dict[str, str])
    """The provider's own names of grid zones: ``{"us-east-1": "PJM_DC"}``, ``{"US-CA": "US-CAL-CISO"}``."""
    method: Optional[Literal["direct", "lifecycle"]] = None
    """What the figures of Electricity Maps count; lifecycle without it."""


def ask(
    tool: str,
    arguments: Mapping[str, Any],
    source: Source,
    facility: Facility | None,
    intensity: Intensity | None,
    standards_dir: str | os.PathLike[str] | None,
    now: datetime.datetime | None,
) -> dict[str, Any]:
    """The answer of a tool to arguments, those that are None left to their defaults."""
    given = {name: value for name, value in arguments.items() if value is not None}
    answer = _native.call_tool(
        tool,
        json.dumps(given, default=str),
        _source(source),
        facility,
        None if intensity is None else _intensity(intensity),
        standards_dir,
        None if now is None else rfc3339(now),
        meters(),
    )
    result: dict[str, Any] = json.loads(answer)
    return result


def meters() -> tuple[Host | None, list[str] | None]:
    """The machine and the meters that measurements of this process use."""
    settings = current()
    return settings.host, settings.meters


def _source(source: Source) -> str | Observation:
    """A source as the compiled part takes it."""
    # Not the class: importing it for a question about regions would cost milliseconds.
    observe: Callable[[], Observation] | None = getattr(source, "_observation", None)
    return cast("Union[str, Observation]", source) if observe is None else observe()


_Row = tuple[str, Union[str, None], float]


def _intensity(given: Any) -> Any:
    """A provider, a file's path, 24 hours of one or twelve days, or named rows."""
    if isinstance(given, IntensityProvider):
        return SimpleNamespace(**{**vars(given), "regions": list(given.regions.items())})
    if isinstance(given, str) or hasattr(given, "__fspath__"):
        return given
    pairs = list(given.items() if hasattr(given, "items") else given)
    if pairs and not isinstance(pairs[0], (tuple, list)):
        return [float(value) for value in pairs]
    return ("given intensities", [_row(pair) for pair in pairs], "forecast")


def _row(pair: Sequence[Any]) -> _Row:
    start, *end, value = pair
    if len(end) > 1 or not all(isinstance(time, datetime.datetime) for time in (start, *end)):
        raise ConfigurationError(
            f"{pair!r} is no intensity of a time",
            "give (start, gCO2e/kWh) or (start, end, gCO2e/kWh) with datetimes, 24 numbers, or a file",
        )
    return rfc3339(start), rfc3339(end[0]) if end else None, float(value)
