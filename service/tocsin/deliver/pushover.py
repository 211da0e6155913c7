"""Pushover: form fields to the messages API. https://pushover.net/api#friendly

Its rules of courtesy are binding: at most two connections, a 4xx is never sent again, anything else not sooner than
after 5 s. Its own 429 is no throttle: the month's quota is used up.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, Literal

import structlog
from pydantic import Field, SecretStr

from tocsin import inert
from tocsin.deliver.endpoint import HeaderSecret, ServerRoot
from tocsin.deliver.exchange import LONGEST, Exchange, Reply, asked_to_wait, said
from tocsin.errors import PermanentError, TemporaryError
from tocsin.model import Message
from tocsin.section import Duration, Section

MAX_IN_FLIGHT = 2
RETRY_AFTER = timedelta(seconds=5)
_THROTTLED_AFTER = timedelta(minutes=1)
_LONGEST_MONTH = timedelta(days=32)

log = structlog.get_logger()


class PushoverSettings(Section):
    """A user or group of Pushover."""

    type: Literal["pushover"] = "pushover"
    url: ServerRoot = Field("https://api.pushover.net", description="Root of the API; other only for tests.")
    token: HeaderSecret = Field(description="The application's API token (30 characters).")
    token_file: Path | None = Field(None, description="File that holds the token.")
    user: HeaderSecret = Field(description="User or group key (30 characters).")
    user_file: Path | None = Field(None, description="File that holds the user key.")
    device: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,25}(,[A-Za-z0-9_-]{1,25})*$",
        description="Devices to send to, separated by commas; left out, all. "
        "Pushover sends to all devices as well when a name is wrong.",
    )
    per_hour: int | None = Field(
        None, ge=10, description="Messages in any hour, roll-ups included; left out, `storm.per_hour`."
    )
    timeout: Duration = Field(
        timedelta(seconds=10),
        gt=timedelta(0),
        le=LONGEST,
        description="Longest wait for the answer to one message; at most 1m.",
    )


class PushoverChannel:
    """Sends to one user or group."""

    max_in_flight = MAX_IN_FLIGHT

    def __init__(self, name: str, settings: PushoverSettings) -> None:
        self.name = name
        self._recipient: dict[str, SecretStr] = {"token": settings.token, "user": settings.user}
        self._device = {"device": settings.device} if settings.device else {}
        secrets = tuple(secret.get_secret_value() for secret in self._recipient.values())
        self._exchange = Exchange(settings.url, timeout=settings.timeout, connections=MAX_IN_FLIGHT, secrets=secrets)

    async def send(self, message: Message, *, delivery_id: str) -> None:
        """Sends; see Channel.send. Pushover cannot tell a second attempt from a second message."""
        reply = await self._post("/1/messages.json", message.body)
        if failure := failure_of(reply, datetime.now(UTC)):
            raise failure
        log.debug("pushover_accepted", channel=self.name, delivery=delivery_id, request=reply.json().get("request"))

    async def check(self) -> str:
        """Has Pushover validate token, user and device."""
        reply = await self._post("/1/users/validate.json", {})
        if failure := failure_of(reply, datetime.now(UTC)):
            raise failure
        devices = reply.json().get("devices")
        shown = ", ".join(inert.text(str(device), 25) for device in devices[:10]) if isinstance(devices, list) else ""
        return f"Pushover knows token and user; devices: {shown or 'none named'}"

    async def close(self) -> None:
        """Closes the connections."""
        await self._exchange.close()

    async def _post(self, path: str, fields: Mapping[str, object]) -> Reply:
        form = {name: str(value) for name, value in fields.items()} | self._device
        form |= {name: secret.get_secret_value() for name, secret in self._recipient.items()}
        try:
            return await self._exchange.request("POST", path, form=form)
        except TemporaryError as failure:
            raise TemporaryError(str(failure), retry_after=RETRY_AFTER, whole_channel=True) from None


def failure_of(reply: Reply, now: datetime) -> TemporaryError | PermanentError | None:
    """What Pushover's reply means; None is success, which takes both a 2xx and `status: 1`."""
    answer = reply.json()
    text = _told(reply, answer)
    own = "status" in answer
    if reply.status < 300:
        if not own:
            text = f"{text}; not from Pushover, is there a login page or proxy in between?"
            return TemporaryError(text, retry_after=RETRY_AFTER, whole_channel=True)
        return None if answer["status"] == 1 else PermanentError(text, whole_channel=_refuses_sender(answer))
    if 300 <= reply.status < 400:
        text = f"Pushover redirects ({reply.status}) elsewhere; set url to the API's real address"
        return PermanentError(text, whole_channel=True)
    if reply.status == 429 and (own or "x-limit-app-reset" in reply.headers):
        wait = max(_quota_resets_at(reply.headers, now) - now, RETRY_AFTER)
        return TemporaryError(f"{text}; the month's quota is used up", retry_after=wait, whole_channel=True)
    if reply.status == 429:  # from a proxy: nothing is known of the quota
        wait = max(asked_to_wait(reply, now) or _THROTTLED_AFTER, _THROTTLED_AFTER)
        return TemporaryError(text, retry_after=wait, whole_channel=True)
    if reply.status >= 500:
        wait = max(asked_to_wait(reply, now) or RETRY_AFTER, RETRY_AFTER)
        return TemporaryError(text, retry_after=wait, whole_channel=True)
    # What Pushover did not say is no answer to this message, but for a size or a content that a proxy refuses.
    elsewhere = not own and reply.status not in (400, 413)
    return PermanentError(text, whole_channel=reply.status in (401, 403) or elsewhere or _refuses_sender(answer))


def _refuses_sender(answer: Mapping[str, Any]) -> bool:
    """Pushover blocks an address that keeps on sending with a token or user it does not know."""
    return "invalid" in (answer.get("token"), answer.get("user"))


def _told(reply: Reply, answer: Mapping[str, Any]) -> str:
    errors = answer.get("errors")
    if isinstance(errors, list) and errors:
        return f"Pushover answered {reply.status}: {inert.text('; '.join(map(str, errors)), 200)}"
    return f"Pushover {said(reply)}"


def _quota_resets_at(headers: Mapping[str, str], now: datetime) -> datetime:
    """Pushover's word where it is believable, else the first of next month, 00:00 US Central."""
    stated = headers.get("x-limit-app-reset", "")
    if stated.isascii() and stated.isdigit() and 0 < int(stated) - now.timestamp() < _LONGEST_MONTH.total_seconds():
        return datetime.fromtimestamp(int(stated), UTC)
    here = now.astimezone(_us_central())
    year, month = (here.year, here.month + 1) if here.month < 12 else (here.year + 1, 1)
    return datetime(year, month, 1, tzinfo=here.tzinfo)


def _us_central() -> tzinfo:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # noqa: PLC0415 - needed once a month, if ever

    try:
        return ZoneInfo("America/Chicago")
    except ZoneInfoNotFoundError:  # an image without time zone data: winter time, at most an hour late
        return timezone(timedelta(hours=-6))
