"""Stand-ins for meters of the whole machine."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from typing_extensions import Self

import kepler_power


class _Server(http.server.ThreadingHTTPServer):
    """A server on loopback, as a context manager."""

    def __init__(self, answer: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), answer)
        self._thread = threading.Thread(target=self.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class Plug(_Server):
    """A metered socket that answers as Shelly's do (Switch.GetStatus, Gen2)."""

    def __init__(self, watts: float) -> None:
        super().__init__(_PlugAnswer)
        self.watts = watts

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/rpc/Switch.GetStatus?id=0"

    def meter(self, **more: object) -> kepler_power.ExternalMeter:
        return kepler_power.ExternalMeter("plug", url=self.url, field="/apower", interval=1.0, **more)  # type: ignore[arg-type]


class _PlugAnswer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        watts = self.server.watts  # type: ignore[attr-defined]
        body = json.dumps({"id": 0, "output": True, "apower": watts, "voltage": 230.1}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class ServiceProcessor(_Server):
    """A BMC of one chassis at 250 W that asks for `monitor` and `secret`, and keeps a session for each login until it is ended."""

    def __init__(self) -> None:
        super().__init__(_BmcAnswer)
        self.begun = 0
        self.sessions: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _BmcAnswer(http.server.BaseHTTPRequestHandler):
    server: ServiceProcessor

    RESOURCES: ClassVar[dict[str, object]] = {
        "/redfish/v1": {"Chassis": {"@odata.id": "/redfish/v1/Chassis"}},
        "/redfish/v1/Chassis": {"Members": [{"@odata.id": "/redfish/v1/Chassis/1"}]},
        "/redfish/v1/Chassis/1": {"Id": "1", "Power": {"@odata.id": "/redfish/v1/Chassis/1/Power"}},
        "/redfish/v1/Chassis/1/Power": {"PowerControl": [{"MemberId": "0", "PowerConsumedWatts": 250}]},
    }

    def do_GET(self) -> None:
        path = self.path.rstrip("/")
        is_open = path == "/redfish/v1" or self.headers.get("X-Auth-Token") in self.server.sessions
        found = self.RESOURCES.get(path)
        self._say(401 if not is_open else 200 if found else 404, found if is_open else None)

    def do_POST(self) -> None:
        account = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if account != {"UserName": "monitor", "Password": "secret"}:
            return self._say(401)
        self.server.begun += 1
        token = f"token-{self.server.begun}"
        self.server.sessions.add(token)
        return self._say(201, None, {"X-Auth-Token": token, "Location": f"/redfish/v1/SessionService/Sessions/{token}"})

    def do_DELETE(self) -> None:
        self.server.sessions.discard(self.path.rsplit("/", 1)[1])
        self._say(204)

    def _say(self, status: int, body: object = None, headers: Mapping[str, str] = {}) -> None:
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


def acpi_meter(sysfs: Path, watts: float) -> None:
    """The files of `acpi_power_meter`."""
    place = sysfs / "class/hwmon/hwmon0"
    place.mkdir(parents=True)
    for name, text in (("name", "power_meter"), ("power1_average", f"{watts * 1e6:.0f}"), ("power1_average_interval", "1000")):
        (place / name).write_text(f"{text}\n")


def wait_for(condition: Callable[[], object]) -> None:
    import time

    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
