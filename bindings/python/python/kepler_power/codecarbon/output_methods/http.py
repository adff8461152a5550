"""Rows to an HTTP server."""

from __future__ import annotations

import getpass
import json
from typing import TYPE_CHECKING
from urllib.request import Request, urlopen

from ...errors import ConfigurationError
from ..external.logger import logger
from .base_output import BaseOutput

if TYPE_CHECKING:
    from .emissions_data import EmissionsData

_TIMEOUT_SECONDS = 10
_CREATED = 201


def require_http(url: str, parameter: str) -> str:
    """The URL, if it is one of HTTP."""
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{parameter} = `{url}`", "give a URL that begins with http:// or https://")
    return url


class HTTPOutput(BaseOutput):
    """The run so far as a JSON object in a POST request, with the user's name as ``user``.

    :param endpoint_url: where to.
    """

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = require_http(endpoint_url, "emissions_endpoint")

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        body = json.dumps({**total.known, "user": getpass.getuser()}).encode()
        request = Request(self.endpoint_url, body, {"Content-Type": "application/json"}, method="POST")
        with urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
            if answer.status != _CREATED:
                logger.warning("%s answered %s, not %s", self.endpoint_url, answer.status, _CREATED)
