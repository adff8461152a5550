"""Reads /metrics with the reference parsers of Prometheus text and OpenMetrics."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

TEXT = "text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

# Counters are printed in whole microjoules; a sum of two of them is off by less than this.
MICROJOULE = 1.5e-6


class Series(NamedTuple):
    """A name and its labels."""

    name: str
    labels: frozenset[tuple[str, str]]

    def label(self, name: str) -> str:
        return dict(self.labels)[name]


class Scrape:
    """What one scrape showed. It cannot be made of an exposition that breaks the format."""

    def __init__(self, families: Iterable[Metric]):
        self.values: dict[Series, float] = {}
        self._counters: set[str] = set()
        names: set[str] = set()
        for family in families:
            # The parsers begin a family again when its lines go on after another's.
            assert family.name not in names, f"the family {family.name} is in pieces"
            names.add(family.name)
            for sample in family.samples:
                series = Series(sample.name, frozenset(sample.labels.items()))
                assert series not in self.values, f"comes twice: {series}"
                self.values[series] = sample.value
                if family.type == "counter":
                    self._counters.add(sample.name)

    @classmethod
    def of(cls, content_type: str, text: str) -> "Scrape":
        return cls(parse_openmetrics(text) if content_type.startswith("application/openmetrics") else parse_text(text))

    @property
    def names(self) -> set[str]:
        return {series.name for series in self.values}

    def select(self, name: str, **labels: str) -> dict[Series, float]:
        """The series of this name that have at least these labels."""
        wanted = set(labels.items())
        found = self.values.items()
        return {series: value for series, value in found if series.name == name and wanted <= series.labels}

    def sum(self, name: str, **labels: str) -> float:
        """Their sum. There must be one at least: absent is not zero."""
        found = self.select(name, **labels)
        assert found, f"no {name} with {labels}"
        return sum(found.values())

    def counters(self) -> dict[Series, float]:
        return {series: value for series, value in self.values.items() if series.name in self._counters}

    def tick(self) -> float:
        """When the snapshot was taken, in seconds since 1970."""
        return self.sum("kepler_last_success_timestamp_seconds", source="cpu")


def assert_no_counter_fell(
    before: Scrape, after: Scrape, apart_from: Callable[[Series], bool] = lambda _: False
) -> None:
    then = before.counters()
    fell = {
        series: (then[series], value)
        for series, value in after.counters().items()
        if value < then.get(series, value) and not apart_from(series)
    }
    assert not fell
