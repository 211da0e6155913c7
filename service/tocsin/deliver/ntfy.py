"""ntfy: JSON to the server's root. https://docs.ntfy.sh/publish/#publish-as-json

The root matters: the same JSON posted to /<topic> arrives as text. ntfy sends no Retry-After; what its error codes
mean for a retry is written down here.
"""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

import structlog
from pydantic import Field, SecretStr, model_validator

from tocsin import inert
from tocsin.deliver.endpoint import HeaderSecret, ServerRoot
from tocsin.deliver.exchange import LONGEST, Exchange, Reply, asked_to_wait, said
from tocsin.errors import PermanentError, TemporaryError
from tocsin.model import Message
from tocsin.section import Duration, Section

MAX_IN_FLIGHT = 2
"""A visitor has 60 requests and regains one every 5 s; more at once only reaches that limit sooner."""

_THROTTLED_AFTER = timedelta(seconds=5)
"""How long a visitor waits for one more request."""
_THROTTLED_AT_MOST = timedelta(minutes=2)
"""Waits of 5, 10, 20, ... 120 s are fewer than ten refused requests in any ten minutes. More is what gets an address
banned for hours: https://docs.ntfy.sh/config/#banning-bad-actors-fail2ban"""
_WELL_AFTER = 10
"""Messages taken in a row after which waits start over: a refusal for each one taken would be ignoring them as well."""
_EMAILS, _TOPICS, _BANDWIDTH, _DAILY, _AUTH, _CALLS = 42902, 42904, 42905, 42908, 42909, 42910

log = structlog.get_logger()


class NtfySettings(Section):
    """A topic of an ntfy server."""

    type: Literal["ntfy"] = "ntfy"
    url: ServerRoot = Field("https://ntfy.sh", description="Root of the server; ntfy cannot run under a path.")
    topic: str = Field(
        pattern=r"^[-_A-Za-z0-9]{1,64}$",
        description="Topic to publish to. On a server without access control whoever knows it reads along, "
        "so take a name nobody guesses.",
    )
    token: HeaderSecret | None = Field(
        None, description="Access token (tk_...); a write-only one for this topic suffices. Or a user and password."
    )
    token_file: Path | None = Field(None, description="File that holds the token.")
    username: str | None = Field(None, pattern=r"^[^:\x00-\x1f\x7f]+$", description="User, where there is no token.")
    password: SecretStr | None = Field(None, description="The user's password.")
    password_file: Path | None = Field(None, description="File that holds the password.")
    per_hour: int | None = Field(
        None, ge=10, description="Messages in any hour, roll-ups included; left out, `storm.per_hour`."
    )
    timeout: Duration = Field(
        timedelta(seconds=10),
        gt=timedelta(0),
        le=LONGEST,
        description="Longest wait for the server's answer to one message; at most 1m.",
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.token and self.username:
            raise ValueError("token and username are both set; keep one")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        return self


class NtfyChannel:
    """Publishes to one topic."""

    max_in_flight = MAX_IN_FLIGHT

    def __init__(self, name: str, settings: NtfySettings) -> None:
        self.name = name
        self._topic = settings.topic
        self._headers = {"Content-Type": "application/json"} | _authorization(settings)
        self._throttled = self._taken = 0
        credentials = self._headers.get("Authorization", "").partition(" ")[2]
        password = settings.password.get_secret_value() if settings.password else ""
        self._exchange = Exchange(
            settings.url, timeout=settings.timeout, connections=MAX_IN_FLIGHT, secrets=(credentials, password)
        )

    async def send(self, message: Message, *, delivery_id: str) -> None:
        """Publishes; see Channel.send."""
        body = json.dumps(dict(message.body), ensure_ascii=False).encode()
        reply = await self._exchange.request("POST", "/", body=body, headers=self._headers)
        failure = failure_of(reply, datetime.now(UTC), throttled=self._throttled)
        self._taken = 0 if failure else self._taken + 1
        if reply.status == 429:
            self._throttled += 1
        elif self._taken >= _WELL_AFTER:
            self._throttled = 0
        if failure:
            raise failure
        log.debug("ntfy_accepted", channel=self.name, delivery=delivery_id, message=reply.json()["id"])

    async def check(self) -> str:
        """Asks for the server's health; ntfy authenticates every request, so bad credentials show as well."""
        reply = await self._exchange.request("GET", "/v1/health", headers=self._headers)
        if reply.status == 200 and reply.json().get("healthy") is True:
            return f"ntfy at {self._exchange.host} is healthy; messages go to topic {self._topic}"
        raise failure_of(reply, datetime.now(UTC)) or TemporaryError("ntfy says it is not healthy")

    async def close(self) -> None:
        """Closes the connections."""
        await self._exchange.close()


def failure_of(reply: Reply, now: datetime, *, throttled: int = 0) -> TemporaryError | PermanentError | None:
    """What ntfy's reply means; None is success. `throttled` counts the refusals for too many requests until now."""
    answer = reply.json()
    code = answer.get("code")
    text = _told(answer) if isinstance(code, int) else f"ntfy {said(reply)}"
    if reply.status < 300:
        if answer.get("id") and isinstance(answer["id"], str):
            return None
        return TemporaryError(f"{text}; not from ntfy, is there a login page or proxy in between?", whole_channel=True)
    if 300 <= reply.status < 400:
        text = f"ntfy redirects ({reply.status}) elsewhere; set url to the server's real address"
        return PermanentError(text, whole_channel=True)
    if reply.status == 429:
        wait = _until_allowed(code, asked_to_wait(reply, now), now, throttled)
        return TemporaryError(text, retry_after=wait, whole_channel=True)
    if _passing(reply.status, coded=isinstance(code, int)):
        return TemporaryError(text, retry_after=asked_to_wait(reply, now), whole_channel=True)
    # Without ntfy's code it is no answer to this message, but for a size or a content that a proxy refuses.
    elsewhere = not isinstance(code, int) and reply.status not in (400, 413)
    return PermanentError(text, whole_channel=reply.status in (401, 403) or elsewhere)


def _passing(status: int, *, coded: bool) -> bool:
    """Whether another attempt may fare better. A 404 without ntfy's code: a proxy with no ntfy behind it just now."""
    return status >= 500 or status < 200 or status in (408, 425) or (status == 404 and not coded)


def _told(answer: Mapping[str, Any]) -> str:
    return f"ntfy answered {answer['code']}: {inert.text(str(answer.get('error', 'no reason given')), 200)}"


def _until_allowed(code: object, asked: timedelta | None, now: datetime, throttled: int) -> timedelta:
    """ntfy's counters start again at midnight UTC, its request bucket refills by one every 5 s."""
    if code in (_DAILY, _BANDWIDTH, _EMAILS, _CALLS):
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return midnight - now
    if code in (_AUTH, _TOPICS):
        return timedelta(minutes=1)
    growing = min(_THROTTLED_AFTER * (1 << min(throttled, 10)), _THROTTLED_AT_MOST)
    return max(growing, asked or growing)


def _authorization(settings: NtfySettings) -> dict[str, str]:
    if settings.token:
        return {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
    if settings.username and settings.password:
        pair = f"{settings.username}:{settings.password.get_secret_value()}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}
