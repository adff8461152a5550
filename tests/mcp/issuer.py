"""An OAuth authorization server on this machine: Authlib's, in Flask, whose access tokens are JSON Web Tokens (RFC 9068)."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask, jsonify
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from werkzeug.serving import make_server

CLIENT, SECRET = "assistant", "s3cret"


class Client(ClientMixin):
    """The one client that there is."""

    def get_client_id(self) -> str:
        return CLIENT

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_client_secret(self, secret: str) -> bool:
        return secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return True

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class Credentials(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]


@dataclass
class Issuer:
    """A running authorization server."""

    audience: str
    url: str = ""
    keys: list[Any] = field(default_factory=list)
    asked: int = 0
    """How often its keys were asked for."""
    is_down: bool = False

    def rotate(self) -> None:
        """Another key signs from now on; the former ones are forgotten."""
        name = f"key-{time.monotonic_ns()}"
        self.keys = [RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})]

    def claims(self, **changed: Any) -> dict[str, Any]:
        """Of a token that is taken, but for what is changed; what is changed to None is left out."""
        now = int(time.time())
        claims = {"iss": self.url, "aud": self.audience, "iat": now, "exp": now + 300, "client_id": CLIENT, "scope": "read"}
        return {name: value for name, value in (claims | changed).items() if value is not None}

    def sign(self, claims: dict[str, Any], key: Any = None, **header: Any) -> str:
        """A token of these claims."""
        key = key or self.keys[0]
        header = {"alg": key.alg, "kid": key.kid, "typ": "at+jwt"} | header
        header = {name: value for name, value in header.items() if value is not None}
        return jwt.encode(header, claims, key, algorithms=["RS256", "ES256", "HS256", "none", "RS512", "PS256"])


@contextmanager
def running(audience: str) -> Iterator[Issuer]:
    """Starts one whose tokens are for this audience."""
    issuer = Issuer(audience)
    issuer.rotate()
    issuer.keys.append(ECKey.generate_key("P-256", {"kid": "curve", "use": "sig", "alg": "ES256"}))
    app = Flask("issuer")
    server = AuthorizationServer(app, query_client=lambda id: Client() if id == CLIENT else None, save_token=lambda *_: None)
    server.register_grant(Credentials)

    class Tokens(JWTBearerTokenGenerator):
        def get_jwks(self) -> KeySet:
            return KeySet(issuer.keys[:1])

        def get_audiences(self, client: Any, user: Any, scope: str) -> str:
            return audience

        def access_token_generator(self, client: Any, grant_type: str, user: Any, scope: str) -> str:
            return issuer.sign(issuer.claims(scope=scope))

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.get("/.well-known/oauth-authorization-server")
    def metadata() -> Any:
        return jsonify(
            issuer=issuer.url,
            token_endpoint=f"{issuer.url}/token",
            authorization_endpoint=f"{issuer.url}/authorize",
            jwks_uri=f"{issuer.url}/jwks",
            grant_types_supported=["client_credentials"],
            response_types_supported=["code"],
            token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
            code_challenge_methods_supported=["S256"],
        )

    @app.get("/jwks")
    def jwks() -> Any:
        issuer.asked += 1
        return ("down", 500) if issuer.is_down else jsonify(KeySet(issuer.keys).as_dict(private=False))

    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
    http = make_server("127.0.0.1", 0, app, threaded=True)
    issuer.url = f"http://127.0.0.1:{http.server_port}"
    server.register_token_generator("default", Tokens(issuer.url))
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        yield issuer
    finally:
        http.shutdown()
