"""Alertmanager's webhook, version 4: bytes in, Group out. Sans-IO.

Tolerant of whatever later versions add; strict about what the rest relies on. Errors quote no part of the
payload but its version: Alertmanager logs the answers it gets.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Literal

from annotated_types import Len
from pydantic import AwareDatetime, BaseModel, ConfigDict, FailFast, NonNegativeInt, TypeAdapter, ValidationError

from tocsin import inert
from tocsin.errors import BadPayload, PayloadTooLarge
from tocsin.model import Alert, AlertStatus, Group

VERSION = "4"
MOST_ALERTS = 50_000
"""Alerts of one webhook. Explaining one takes about 5 kB of memory; Alertmanager sends 9,500 in 10 MB."""
MOST_VALUES = 1_000_000
"""Bound of what one body holds, by its commas and four times its opening brackets: reading it takes 250 bytes each at
worst. 25,000 alerts of 20 labels and annotations are within it."""
MOST_LABELS = 256
"""Labels, and annotations, of one alert that are read; those left out are counted in a label of their own."""
LABEL_CHARS = 4096
"""Longest name and value that are read whole. A DNS name has at most 1,020 code points in any notation."""
ANNOTATION_CHARS = 65_536
"""Longest annotation that is read whole."""
_MOST_TRUNCATED = 2**31 - 1
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")
"""Written as JSON. PostgreSQL's text holds any character but this."""
_FINGERPRINT = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_YEARS = range(1970, 9999)
"""Years in which an instant can be moved to any zone without overflow."""


# Without FailFast a hostile body of a few megabytes holds millions of mistakes, each of which is kept until the last.
_Labels = Annotated[dict[str, str], FailFast()]


class _Alert(BaseModel):
    model_config = ConfigDict(extra="ignore", title="Alert")

    status: Literal["firing", "resolved"]
    labels: _Labels = {}
    annotations: _Labels = {}
    startsAt: AwareDatetime  # noqa: N815 - Alertmanager's word
    endsAt: AwareDatetime | None = None  # noqa: N815
    generatorURL: str | None = None  # noqa: N815
    fingerprint: str | None = None


class _Webhook(BaseModel):
    model_config = ConfigDict(extra="ignore", title="Webhook")

    version: Literal["4"]
    groupKey: str | None = None  # noqa: N815
    receiver: str | None = None
    externalURL: str | None = None  # noqa: N815
    truncatedAlerts: NonNegativeInt = 0  # noqa: N815
    alerts: Annotated[list[_Alert], FailFast(), Len(max_length=MOST_ALERTS)]


_WEBHOOK = TypeAdapter(_Webhook)


_WORDS = {
    "missing": "missing",
    "model_type": "not a JSON object",
    "literal_error": 'neither "firing" nor "resolved"',
    "string_type": "not a string",
    "list_type": "not a list",
    "dict_type": "not a JSON object",
}


def schema(reference: str) -> dict[str, Any]:
    """The JSON Schema of a webhook as `parse` reads it, with what it refers to under `$defs`.

    `reference` is where those will be found, with `{model}` for the name.
    """
    return _WEBHOOK.json_schema(ref_template=reference)


def count(body: bytes) -> int:
    """The number of alerts in a webhook that `parse` will read.

    Raises BadPayload as `parse` does, and PayloadTooLarge for what would take more memory to read than a pod has.
    """
    if len(body) > MOST_VALUES // 4 and body.count(b",") + 4 * (body.count(b"[") + body.count(b"{")) > MOST_VALUES:
        raise PayloadTooLarge(f"the body holds more than {MOST_VALUES} values")
    return len(_validated(body).alerts)


def parse(body: bytes | str) -> Group:
    """Reads one webhook. Raises BadPayload with what is wrong and where."""
    webhook = _validated(body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body)
    return Group(
        group_key=inert.clip(webhook.groupKey or "", LABEL_CHARS),
        receiver=inert.clip(webhook.receiver or "", LABEL_CHARS),
        external_url=inert.clip(webhook.externalURL or "", LABEL_CHARS),
        truncated=min(webhook.truncatedAlerts, _MOST_TRUNCATED),
        alerts=tuple(_alert(alert) for alert in webhook.alerts),
    )


def _validated(octets: bytes) -> _Webhook:
    if b"\\u0000" in octets:
        octets = _NUL.sub(rb"\1\\ufffd", octets)
    try:
        webhook = _WEBHOOK.validate_json(octets, strict=True)
    except ValidationError as failure:
        if failure.errors(include_url=False)[0]["type"] == "too_long":
            raise PayloadTooLarge(f"the webhook holds more than {MOST_ALERTS} alerts") from None
        raise BadPayload(_explain(failure)) from None
    for index, alert in enumerate(webhook.alerts):
        if alert.startsAt.year not in _YEARS:
            raise BadPayload(f"alerts[{index}].startsAt: year {alert.startsAt.year} is out of range")
    return webhook


def _alert(sent: _Alert) -> Alert:
    status = AlertStatus(sent.status)
    fingerprint = sent.fingerprint or ""
    return Alert(
        status=status,
        labels=_bounded(sent.labels, LABEL_CHARS),
        annotations=_bounded(sent.annotations, ANNOTATION_CHARS),
        starts_at=sent.startsAt.astimezone(UTC),
        ends_at=_end(sent.endsAt) if status is AlertStatus.RESOLVED else None,
        generator_url=inert.clip(sent.generatorURL or "", LABEL_CHARS),
        fingerprint=fingerprint if _FINGERPRINT.fullmatch(fingerprint) else fingerprint_of(sent.labels),
    )


def _bounded(sent: Mapping[str, str], limit: int) -> Mapping[str, str]:
    """The same, but for what is too long or too much: a cut shows as an ellipsis. A refusal would be silence."""
    if len(sent) <= MOST_LABELS and all(
        len(name) <= LABEL_CHARS and len(value) <= limit for name, value in sent.items()
    ):
        return sent
    kept = {inert.clip(name, LABEL_CHARS): inert.clip(sent[name], limit) for name in islice(sent, MOST_LABELS)}
    return kept if len(sent) <= MOST_LABELS else {**kept, "…": f"{len(sent) - MOST_LABELS} more, left out"}


def _end(sent: datetime | None) -> datetime | None:
    """Go's zero time (year 1) means no end; moving it to another zone would overflow."""
    return sent.astimezone(UTC) if sent and sent.year in _YEARS else None


def fingerprint_of(labels: Mapping[str, str]) -> str:
    """Identifies a label set where Alertmanager sent no usable fingerprint: 16 hexadecimal digits, like its own.

    It is SHA-256 based and never equal to Alertmanager's, which is FNV-1a.
    """
    digest = hashlib.sha256()
    for name, value in sorted(labels.items()):
        for part in (name, value):
            octets = part.encode("utf-8", "surrogatepass")
            digest.update(len(octets).to_bytes(8, "big") + octets)
    return digest.hexdigest()[:16]


def _explain(failure: ValidationError) -> str:
    mistake: Any = failure.errors(include_url=False)[0]
    at, kind = mistake["loc"], mistake["type"]
    if kind == "json_invalid":
        return f"not JSON: {inert.text(str(mistake['ctx']['error']), 120)}"
    if at == ("version",) and kind == "literal_error":
        return f"version is {_quoted(mistake['input'])}; tocsin reads version {_quoted(VERSION)}"
    if at[-1:] in (("startsAt",), ("endsAt",)) and kind != "missing":
        return f"{_path(at)}: not an RFC 3339 instant"
    return f"{_path(at)}: {_WORDS.get(kind) or inert.text(str(mistake['msg']), 120)}"


def _path(at: tuple[int | str, ...]) -> str:
    """Where a mistake is: `alerts[2].startsAt`, `alerts[0].labels["the.name"]`."""
    path = ""
    for part in at:
        if isinstance(part, int):
            path += f"[{part}]"
        elif path.endswith((".labels", ".annotations")):
            path += f"[{_quoted(part)}]"
        else:
            path += f".{part}" if path else part
    return path or "the body"


def _quoted(value: object) -> str:
    return f'"{inert.text(value, 40)}"' if isinstance(value, str) else inert.text(repr(value), 40)
