"""/metrics is valid in both formats, to the reference parsers and to Prometheus' own tool."""

import subprocess

import pytest

from exposition import OPENMETRICS, TEXT, Scrape


def test_both_formats_show_the_same_names_to_the_reference_parsers(kepler):
    server = kepler("--monitor.interval=1h")
    # From the second reading on there is power, and there is no third.
    server.scrape_with_power()
    assert server.scrape().names == server.scrape_openmetrics().names


@pytest.mark.parametrize("accept", [TEXT, OPENMETRICS])
def test_it_is_compressed_for_those_who_ask(kepler, accept):
    server = kepler("--metrics=node", "--monitor.interval=1h")
    server.scrape_with_power()
    compressed = server.get("/metrics", accept)
    plain = server.get("/metrics", accept, encoding="identity")
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Content-Encoding"] is None
    assert Scrape.of(accept, compressed.body.decode()).names == Scrape.of(accept, plain.body.decode()).names


def test_promtool_has_no_complaint(kepler):
    text = kepler().get("/metrics", TEXT).body
    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=10)
    complaints = (check.stdout + check.stderr).decode().splitlines()
    assert complaints == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('# TYPE a gauge\na{b="1"} 1\na{b="1"} 2\n', id="a series twice"),
        pytest.param('# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# TYPE a gauge\na{c=""} 1\n', id="a family in pieces"),
        pytest.param('# TYPE a gauge\na{b="1} 1\n', id="an open quote"),
    ],
)
def test_what_breaks_the_format_would_be_noticed(text):
    with pytest.raises((AssertionError, ValueError)):
        Scrape.of(TEXT, text)
