"""Who may post: a bearer token or basic authentication, compared in constant time. Pure."""

import base64
import binascii
import hmac

from tocsin.web.settings import ServerSettings


def allows(settings: ServerSettings, authorization: str | None) -> bool:
    """Whether a request with this Authorization header may post; everybody may where nothing is configured."""
    if settings.bearer is not None:
        scheme, _, token = (authorization or "").partition(" ")
        return _equal(token.strip(), settings.bearer.get_secret_value()) and scheme.lower() == "bearer"
    if settings.password is not None:
        username, password = _basic(authorization or "")
        right_name = _equal(username, settings.username)
        return _equal(password, settings.password.get_secret_value()) and right_name
    return True


def challenge(settings: ServerSettings) -> str:
    """The WWW-Authenticate header of a 401."""
    return "Bearer" if settings.bearer is not None else 'Basic realm="tocsin"'


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        username, _, password = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return "", ""
    return username, password


def _equal(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode("utf-8", "surrogateescape"), right.encode("utf-8"))
