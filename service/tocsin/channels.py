"""The configured channels, each with its renderer: the one place that knows every vendor of messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from tocsin.deliver.channel import Channel
from tocsin.deliver.console import ConsoleChannel, ConsoleSettings
from tocsin.deliver.ntfy import NtfyChannel, NtfySettings
from tocsin.deliver.pushover import PushoverChannel, PushoverSettings
from tocsin.model import Message
from tocsin.outlet import Outlet
from tocsin.render import console, ntfy, pushover
from tocsin.settings import ChannelSettings


@dataclass(frozen=True, slots=True)
class Connected:
    """A channel ready to send, and how the story uses it."""

    channel: Channel
    outlet: Outlet


def connect(configured: Mapping[str, ChannelSettings]) -> list[Connected]:
    """Builds every channel; without any, messages go to standard output, because silence is the worst answer."""
    default = {"console": ConsoleSettings(type="console")}
    return [_connect(name, settings) for name, settings in (configured or default).items()]


def _connect(name: str, settings: ChannelSettings) -> Connected:
    channel: Channel
    per_hour = None
    match settings:
        case NtfySettings():
            channel, per_hour = NtfyChannel(name, settings), settings.per_hour
            render = partial(ntfy.report, channel=name, topic=settings.topic)
            plain = partial(ntfy.plain, channel=name, topic=settings.topic)
            together = partial(ntfy.together, channel=name, topic=settings.topic)
        case PushoverSettings():
            channel, per_hour = PushoverChannel(name, settings), settings.per_hour
            render, plain = partial(pushover.report, channel=name), partial(pushover.plain, channel=name)
            together = partial(pushover.together, channel=name)
        case ConsoleSettings():
            channel = ConsoleChannel(name, settings)
            render, plain = partial(console.report, channel=name), partial(console.plain, channel=name)
            together = partial(console.together, channel=name)

    async def send(message: Message, delivery_id: str) -> None:
        await channel.send(message, delivery_id=delivery_id)

    return Connected(channel, Outlet(name, render, plain, together, send, channel.max_in_flight, per_hour))
