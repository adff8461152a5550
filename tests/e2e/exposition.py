"""Reads /metrics with the reference parsers of Prometheus text and OpenMetrics.

Usage: exposition.py [URL]        default http://127.0.0.1:28282/metrics
Needs the package prometheus_client. Exits with 1 and says why when a parser refuses the text, a
series comes twice, or the two formats do not show the same names.
"""

import gzip
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TEXT = "text/plain; version=0.0.4"


def fetch(url: str, accept: str) -> str:
    request = urllib.request.Request(url, headers={"Accept": accept, "Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        kind = answer.headers["Content-Type"]
        if not kind.startswith(accept):
            sys.exit(f"asked for {accept}, got {kind}")
        return gzip.decompress(answer.read()).decode()


def series(families) -> set:
    seen = set()
    for family in families:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            if key in seen:
                sys.exit(f"comes twice: {key}")
            seen.add(key)
    return seen


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:28282/metrics"
    text = series(parse_text(fetch(url, TEXT)))
    openmetrics = series(parse_openmetrics(fetch(url, OPENMETRICS)))
    names = {name for name, _ in text}
    if names != {name for name, _ in openmetrics}:
        sys.exit(f"only in one format: {names ^ {name for name, _ in openmetrics}}")
    print(f"{len(text)} series of {len(names)} families, valid in both formats")


if __name__ == "__main__":
    main()
