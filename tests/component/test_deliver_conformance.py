"""What every channel that talks to a provider has to do, whichever it is."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

import reports
from fake_ntfy import FakeNtfy
from fake_pushover import TOKEN, USER, FakePushover
from scripted import HANG, RESET, Answer, ScriptedServer, page
from tocsin.deliver.channel import Channel
from tocsin.deliver.ntfy import NtfyChannel, NtfySettings
from tocsin.deliver.pushover import PushoverChannel, PushoverSettings
from tocsin.errors import PermanentError, TemporaryError, TocsinError
from tocsin.model import Message
from tocsin.render import ntfy, pushover

SECRET = "tk_averysecrettokenof32characters"


def ntfy_channel(url: str, timeout: timedelta, secret: str) -> NtfyChannel:
    return NtfyChannel("phone", NtfySettings(url=url, topic="egress", token=secret, timeout=timeout))


def pushover_channel(url: str, timeout: timedelta, secret: str) -> PushoverChannel:
    return PushoverChannel("phone", PushoverSettings(url=url, token=secret, user=USER, timeout=timeout))


@dataclass(frozen=True)
class Vendor:
    """How to set up one vendor's channel and its fake."""

    fake: Callable[[], FakeNtfy | FakePushover]
    channel: Callable[[str, timedelta, str], Channel]
    secret: str
    render: Callable[[Any], Message]


VENDORS = {
    "ntfy": Vendor(
        lambda: FakeNtfy(token=SECRET),
        ntfy_channel,
        SECRET,
        lambda report: ntfy.report(report, channel="phone", topic="egress"),
    ),
    "pushover": Vendor(FakePushover, pushover_channel, TOKEN, lambda report: pushover.report(report, channel="phone")),
}


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


@asynccontextmanager
async def connected(
    vendor: Vendor, *, timeout: float = 5, secret: str = ""
) -> AsyncIterator[tuple[FakeNtfy | FakePushover, Channel]]:
    async with vendor.fake() as fake:
        channel = vendor.channel(fake.url, timedelta(seconds=timeout), secret or vendor.secret)
        try:
            yield fake, channel
        finally:
            await channel.close()


async def failure_of(channel: Channel, message: Message) -> TocsinError:
    with pytest.raises(TocsinError) as caught:
        await channel.send(message, delivery_id="d1")
    return caught.value


@pytest.mark.parametrize("case", reports.CASES)
async def test_every_kind_of_message_is_accepted(vendor: Vendor, case: str) -> None:
    message = vendor.render(reports.CASES[case]())
    async with connected(vendor) as (fake, channel):
        await channel.send(message, delivery_id="d1")
        assert len(fake.received) == 1
        assert as_sent(fake.received[0], message.body)


def as_sent(received: Mapping[str, Any], body: Mapping[str, object]) -> bool:
    """Whether what the provider understood is what was rendered; forms turn numbers into text."""
    return all(received[name] == value or received[name] == str(value) for name, value in body.items())


async def test_a_failure_of_the_server_is_temporary_and_not_retried_inside(vendor: Vendor) -> None:
    async with connected(vendor) as (fake, channel):
        fake.script(*[page(502)] * 2)
        failure = await failure_of(channel, vendor.render(reports.explained()))
        assert isinstance(failure, TemporaryError)
        assert failure.whole_channel, "it says nothing of the message"
        assert "502 Bad Gateway" in str(failure)
        assert len(fake.requests) == 1
        assert isinstance(await failure_of(channel, vendor.render(reports.explained())), TemporaryError)
        await channel.send(vendor.render(reports.explained()), delivery_id="d1")


@pytest.mark.parametrize("answer", [RESET, page(503), page(200), Answer(200, "", "text/plain"), Answer(200, "[]")])
async def test_no_confirmation_is_no_success(vendor: Vendor, answer: Answer) -> None:
    async with connected(vendor) as (fake, channel):
        fake.script(answer)
        assert isinstance(await failure_of(channel, vendor.render(reports.explained())), TemporaryError)
        assert fake.received == []


async def test_silence_ends_with_the_timeout(vendor: Vendor) -> None:
    async with connected(vendor, timeout=0.05) as (fake, channel):
        fake.script(HANG)
        failure = await failure_of(channel, vendor.render(reports.explained()))
        assert isinstance(failure, TemporaryError)
        assert "did not answer within 0.05 s" in str(failure)


async def test_nobody_listening_is_temporary(vendor: Vendor) -> None:
    async with vendor.fake() as fake:
        url = fake.url
    channel = vendor.channel(url, timedelta(seconds=5), vendor.secret)
    assert isinstance(await failure_of(channel, vendor.render(reports.explained())), TemporaryError)
    await channel.close()


async def test_a_refusal_is_permanent(vendor: Vendor) -> None:
    message = vendor.render(reports.explained())
    too_long = Message(message.channel, message.title, {**message.body, "message": "x" * 5000})
    async with connected(vendor) as (fake, channel):
        assert isinstance(await failure_of(channel, too_long), PermanentError)
        assert fake.received == []


async def test_a_redirect_is_not_followed(vendor: Vendor) -> None:
    async with connected(vendor) as (fake, channel):
        fake.script(Answer(302, headers={"Location": f"{fake.url}/elsewhere"}))
        assert isinstance(await failure_of(channel, vendor.render(reports.explained())), PermanentError)
        assert len(fake.requests) == 1


async def test_wrong_credentials_are_permanent_and_never_shown(
    vendor: Vendor, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "wrong_secret_of_30_characters_"
    async with connected(vendor, secret=wrong) as (fake, channel):
        failure = await failure_of(channel, vendor.render(reports.explained()))
        assert isinstance(failure, PermanentError)
        with pytest.raises(PermanentError):
            await channel.check()
        fake.script(Answer(400, f"you sent {wrong}", "text/plain"), Answer(200, f"you sent {wrong}", "text/plain"))
        for _ in range(2):
            said = str(await failure_of(channel, vendor.render(reports.explained())))
            assert wrong not in said
        assert wrong not in repr(channel) + repr(failure)
    printed = capsys.readouterr()
    assert wrong not in printed.out + printed.err


async def test_check_sends_nothing(vendor: Vendor) -> None:
    async with connected(vendor) as (fake, channel):
        assert await channel.check()
        assert fake.received == []
        fake.script(page(502))
        with pytest.raises(TemporaryError):
            await channel.check()


async def test_no_more_connections_than_the_provider_wants(vendor: Vendor) -> None:
    async with connected(vendor) as (fake, channel):
        message = vendor.render(reports.explained())
        await asyncio.gather(*(channel.send(message, delivery_id=str(number)) for number in range(10)))
        assert len(fake.received) == 10
        assert fake.most_at_once <= channel.max_in_flight


async def test_close_is_safe_at_any_time(vendor: Vendor) -> None:
    async with vendor.fake() as fake:
        channel = vendor.channel(fake.url, timedelta(seconds=5), vendor.secret)
        await channel.close()
        await channel.send(vendor.render(reports.explained()), delivery_id="d1")
        await channel.close()
        await channel.close()


async def test_an_endless_reply_is_cut(vendor: Vendor) -> None:
    async with connected(vendor) as (fake, channel):
        fake.script(Answer(500, "x" * 5_000_000, "text/plain"))
        failure = await failure_of(channel, vendor.render(reports.explained()))
        assert isinstance(failure, TemporaryError)
        assert len(str(failure)) < 300


def test_the_fakes_are_servers() -> None:
    assert all(isinstance(vendor.fake(), ScriptedServer) for vendor in VENDORS.values())
