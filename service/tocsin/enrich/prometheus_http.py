"""Where prometheus-api-client meets the network. Blocking; imported by the first thread that asks a question.

The library waits for ever by default, tries again for minutes, puts POSTed queries into the address, follows
redirects and reads answers of any size. It takes a session from its caller, and `Session` does none of that.
"""

import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote

import requests
import urllib3
from prometheus_api_client import PrometheusConnect
from urllib3.util import Retry

from tocsin import inert
from tocsin.enrich.prometheus_settings import PrometheusSettings
from tocsin.errors import LookupFailed

T = TypeVar("T")

MAX_ANSWER = 16 * 1024 * 1024
"""Bytes of one answer; more is a question that was asked too widely."""
_CHUNK = 256 * 1024
_CONNECT_SECONDS = 2.0
_REASON_CHARS = 160


class Session(requests.Session):
    """One request, one answer: bounded in time and size, no redirects, no proxies or .netrc of the environment.

    Raises LookupFailed for every answer other than 200.
    """

    def __init__(self, settings: PrometheusSettings) -> None:
        super().__init__()
        self._seconds = settings.timeout.total_seconds()
        self.connect_seconds = min(_CONNECT_SECONDS, self._seconds)
        self.trust_env = False
        self.verify = str(settings.ca_file) if settings.ca_file else True
        self.headers.update({"User-Agent": "tocsin", "Accept-Encoding": "identity", **settings.headers})
        if settings.token is not None:
            self.headers["Authorization"] = f"Bearer {settings.token.get_secret_value()}"
        if settings.password is not None:
            # Not through `auth`: requests writes that in Latin-1, servers read UTF-8.
            both = f"{settings.user}:{settings.password.get_secret_value()}"
            self.headers["Authorization"] = f"Basic {b64encode(both.encode()).decode()}"
        sent = str(self.headers.get("Authorization", "")).partition(" ")[2]
        known = [sent, settings.password.get_secret_value() if settings.password is not None else ""]
        self._secrets = sorted({way for each in known if each for way in (each, quote(each), quote(each, safe=""))})

    def request(self, method: str | bytes, url: str | bytes, **options: Any) -> requests.Response:  # type: ignore[override]
        """Sends the parameters of a POST in its body: addresses are limited in length, and logged."""
        ends_at = time.monotonic() + self._seconds
        if method == "POST":
            options["data"] = options.pop("params", None)
        options |= {
            "timeout": (self.connect_seconds, self._seconds),
            "allow_redirects": False,
            "stream": True,
        }
        with super().request(method, url, **options) as response:
            response._content = b"".join(_body(response, ends_at))
        if response.status_code != 200:
            raise LookupFailed(f"HTTP {response.status_code}: {inert.text(self._reason(response), _REASON_CHARS)}")
        return response

    def _reason(self, response: requests.Response) -> str:
        """What the server says of it, without the credentials that it may repeat."""
        said = _said(response)
        for secret in self._secrets:
            said = said.replace(secret, "***")
        return f"redirects to {inert.defang(said)}" if response.is_redirect else said


def _body(response: requests.Response, ends_at: float) -> Iterator[bytes]:
    """Reads what has arrived as it arrives, so that an answer that trickles in ends in time as well."""
    size = 0
    while chunk := response.raw.read1(_CHUNK):
        size += len(chunk)
        if size > MAX_ANSWER:
            raise LookupFailed(f"the answer is larger than {MAX_ANSWER // 2**20} MiB")
        if time.monotonic() > ends_at:
            raise requests.Timeout
        yield chunk


def _said(response: requests.Response) -> str:
    if response.is_redirect:
        return response.headers["Location"]
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return response.reason or "no reason given"


class Client:
    """Asks over one connection; not to be shared between threads. Every failure is a LookupFailed."""

    def __init__(self, settings: PrometheusSettings) -> None:
        self._seconds = settings.timeout.total_seconds()
        self._session = Session(settings)
        self._library = PrometheusConnect(url=settings.url, session=self._session, retry=Retry(total=0), method="POST")

    def query(self, expression: str, params: dict[str, str]) -> list[Any]:
        """The elements of an instant vector."""
        return self._ask(lambda: self._library.custom_query(expression, params))

    def query_range(self, expression: str, params: dict[str, str], start: Any, end: Any, step: str) -> list[Any]:
        """The series of a matrix."""
        return self._ask(lambda: self._library.custom_query_range(expression, start, end, step, params))

    def build(self) -> str:
        """The version the server gives; what speaks Prometheus's language need not have one."""
        address = f"{self._library.url}/api/v1/status/buildinfo"
        return self._ask(lambda: str(self._session.get(address).json()["data"]["version"]))

    def _ask(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except LookupFailed:
            raise
        except requests.ConnectTimeout as failure:
            raise LookupFailed(f"cannot be reached within {self._session.connect_seconds:g} s") from failure
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as failure:
            raise LookupFailed(f"timed out after {self._seconds:g} s") from failure
        except ValueError as failure:
            raise LookupFailed("the answer is not JSON; is prometheus.url right?") from failure
        except (LookupError, TypeError) as failure:
            raise LookupFailed("the answer is not Prometheus's; is prometheus.url right?") from failure
        except (OSError, urllib3.exceptions.HTTPError) as failure:
            raise LookupFailed(_why(failure)) from failure


def _why(failure: BaseException) -> str:
    """Names what lies at the bottom of a vendor's nested exception."""
    for each in _causes(failure):
        match each:
            case ConnectionRefusedError():
                return "connection refused"
            case socket.gaierror():
                return "its name cannot be resolved"
            case ssl.SSLError():
                return f"TLS: {inert.text(each.reason or str(each), _REASON_CHARS)}"
            case ConnectionError() | urllib3.exceptions.ProtocolError() if not isinstance(
                each, requests.RequestException
            ):
                return "connection closed"
    return f"cannot be reached ({type(failure).__name__})"


def _causes(failure: BaseException) -> Iterator[BaseException]:
    waiting: list[Any] = [failure]
    while waiting:
        each = waiting.pop(0)
        if isinstance(each, BaseException):
            yield each
            waiting += [each.__cause__ or each.__context__, getattr(each, "reason", None), *each.args]
