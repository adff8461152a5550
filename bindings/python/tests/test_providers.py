"""Grid intensities from a provider: a stand-in that answers as Electricity Maps does."""

from __future__ import annotations

import datetime as dt
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, Optional

import pytest
from exporter import Exporter

from kepler_power import Facility, compliance
from kepler_power.errors import ConfigurationError

SEOUL = Facility("ap-northeast-2", pue=1.2)


class Provider:
    """Answers every request alike, and remembers them."""

    def __init__(self) -> None:
        self.status = 200
        self.age = dt.timedelta(minutes=20)
        self.asked: list[tuple[str, Optional[str]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers.get("auth-token")))
                body = outer.answer().encode()
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self) -> str:
        time = (dt.datetime.now(dt.timezone.utc) - self.age).isoformat()
        return json.dumps(
            {"zone": "KR", "carbonIntensity": 250, "datetime": time, "updatedAt": time, "emissionFactorType": "lifecycle"}
        )


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(scope="module")
def observed() -> Iterator[compliance.Observation]:
    with Exporter() as exporter:
        yield compliance.observe(f"kepler=http://{exporter.address}", window=1)


def assess(observed: compliance.Observation, intensity: Any) -> compliance.AssessResponse:
    return compliance.assess_workload_compliance(
        "cart-0", namespace="shop", source=observed, facility=SEOUL, intensity=intensity
    )


def test_a_verdict_rests_on_the_figure_of_the_provider_that_is_stated(
    observed: compliance.Observation, provider: Provider
) -> None:
    stated = compliance.IntensityProvider("electricity-maps", url=provider.url, token="em-secret")
    assert "em-secret" not in repr(stated)
    answer = assess(observed, stated)
    assert answer.carbon_status == "COMPLIANT"
    assert answer.current_carbon_intensity_gCO2eq_kWh == pytest.approx(300.0)
    assert provider.asked[0][0].startswith("/v3/carbon-intensity/latest?zone=KR") and provider.asked[0][1] == "em-secret"
    asked = len(provider.asked)
    assess(observed, compliance.IntensityProvider("electricity-maps", url=provider.url, token="em-secret"))
    assert len(provider.asked) == asked, "an answer is taken as new for minutes"


def test_a_providers_name_takes_address_and_secret_from_the_environment(
    observed: compliance.Observation, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPLER_INTENSITY_URL", provider.url)
    monkeypatch.setenv("ELECTRICITY_MAPS_TOKEN", "of-the-environment")
    assert assess(observed, "electricity-maps").current_carbon_intensity_gCO2eq_kWh == pytest.approx(300.0)
    assert provider.asked[0][1] == "of-the-environment"


@pytest.mark.parametrize(("status", "age", "word"), [(401, 0, "401"), (500, 0, "500"), (200, 30, "stale")])
def test_what_a_provider_does_not_answer_is_not_known(
    observed: compliance.Observation, provider: Provider, status: int, age: int, word: str
) -> None:
    provider.status, provider.age = status, dt.timedelta(hours=age)
    answer = assess(observed, compliance.IntensityProvider("electricity-maps", url=provider.url, token="t"))
    assert answer.carbon_status == "INSUFFICIENT_DATA"
    assert any(word in caveat for caveat in answer.caveats), answer.caveats


def test_a_provider_that_cannot_be_asked_is_an_error(observed: compliance.Observation) -> None:
    with pytest.raises(ConfigurationError, match="password"):
        assess(observed, compliance.IntensityProvider("watttime", user="ada"))
    with pytest.raises(ConfigurationError, match="no provider"):
        assess(observed, compliance.IntensityProvider("electricitymaps"))  # type: ignore[arg-type]


def test_facts_of_a_request_decide_whether_a_rule_applies(observed: compliance.Observation) -> None:
    facility = Facility("DE", pue=1.4, pue_basis="measured", facts={"connection_kw": 500})

    def status(**facts: Any) -> str:
        return compliance.assess_workload_compliance(
            "cart-0", namespace="shop", standard="DE_ENEFG_RENEWABLE", source=observed, facility=facility, facts=facts
        ).status

    assert status() == "INSUFFICIENT_DATA"
    assert status(renewable_percent=20) == "NON_COMPLIANT"
    assert status(renewable_percent=100) == "COMPLIANT"
    assert status(connection_kw=100) == "NOT_APPLICABLE"
