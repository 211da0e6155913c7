"""Exactly what a webhook would send, sending nothing: the whole story over a store in memory."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from tocsin import apps_file
from tocsin.deliver.console import ConsoleSettings
from tocsin.deliver.ntfy import NtfySettings
from tocsin.deliver.pushover import PushoverSettings
from tocsin.errors import ConfigurationError, LookupFailed, TocsinError
from tocsin.model import Message, Mode
from tocsin.settings import ChannelSettings, Settings
from tocsin.store import events
from tocsin.store.sqlite import Sqlite
from tocsin.wiring import build_pipeline, connect, sources


@dataclass(frozen=True, slots=True)
class Preview:
    """One message that would be sent, and the kind of its channel."""

    kind: str
    message: Message


async def messages(settings: Settings, payload: bytes, *, kind: str | None, offline: bool) -> list[Preview]:
    """Runs the payload through the story, with `offline` without any lookup.

    Raises BadPayload for what the receiver would answer 400, TocsinError when processing fails.
    """
    chosen = _channels(settings, kind)
    settings = settings.model_copy(update={"channels": chosen, "mode": Mode.LIVE})
    apps = apps_file.load(settings.apps_file)
    connected = connect(chosen)
    found = sources(settings)
    store = Sqlite(":memory:")
    store.open()
    try:
        if found.repository is not None and not offline:
            with suppress(LookupFailed):  # the message then says so, as it would while serving
                await found.repository.refresh()
        previews: list[Preview] = []

        async def show(message: Message, _: str) -> None:
            previews.append(Preview(chosen[message.channel].type, message))

        outlets = [replace(each.outlet, send=show) for each in connected]
        pipeline = build_pipeline(settings, apps, store, found, outlets, offline=offline)
        now = datetime.now(UTC)
        await pipeline.receive(payload, now)
        while await pipeline.advance(now):
            pass
        if await store.run(events.oldest_at) is not None:
            raise TocsinError("processing this webhook failed; the log above says why")
        for outlet in outlets:
            for waited in (timedelta(), settings.storm.gather):  # a storm is told once it was gathered
                while await pipeline.teller.deliver(outlet.name, now + waited):
                    pass
        return previews
    finally:
        store.close()
        for each in connected:
            await each.channel.close()
        await found.close()


def as_json(previews: Sequence[Preview]) -> str:
    """A list of {"channel", "body"}."""
    listed = [{"channel": preview.message.channel, "body": preview.message.body} for preview in previews]
    return json.dumps(listed, indent=2, ensure_ascii=False)


def as_text(previews: Sequence[Preview]) -> str:
    """For a person: the title and text of each message."""
    if not previews:
        return "Nothing would be sent: no alert in it fires, or `routes` names no channel for what does."
    return "\n\n".join(
        f"--- {preview.message.channel} ({preview.kind})\n{_text(preview.message)}" for preview in previews
    )


def _text(message: Message) -> str:
    body = dict(message.body)
    text = str(body.pop("text", "") or body.pop("message", ""))
    fields = {key: value for key, value in body.items() if key != "title"}
    head = [] if message.title in text.partition("\n")[0] else [message.title, ""]
    rest = (f"[{key}] {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
    return "\n".join([*head, text, *rest])


def _channels(settings: Settings, kind: str | None) -> dict[str, ChannelSettings]:
    chosen = {name: each for name, each in settings.channels.items() if kind in (None, each.type)}
    if chosen:
        return chosen
    match kind:
        case "ntfy":
            return {"ntfy": NtfySettings(type="ntfy", topic="example")}
        case "pushover":
            example = SecretStr("0" * 30)
            return {"pushover": PushoverSettings(type="pushover", token=example, user=example)}
        case "console" | None:
            return {"console": ConsoleSettings(type="console")}
        case _:
            raise ConfigurationError(f"no such kind of channel: {kind}")
