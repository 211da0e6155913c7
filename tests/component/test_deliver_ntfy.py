"""What is particular to ntfy."""

import json
from datetime import timedelta

import pytest
from pydantic import ValidationError

import reports
from fake_ntfy import FakeNtfy, error
from tocsin.deliver.ntfy import NtfyChannel, NtfySettings
from tocsin.errors import PermanentError, TemporaryError
from tocsin.render import ntfy

MESSAGE = ntfy.report(reports.hostile(), channel="phone", topic="egress")


async def test_json_goes_to_the_root_as_utf8_with_the_token() -> None:
    async with FakeNtfy(token="tk_secret") as fake:
        channel = NtfyChannel("phone", NtfySettings(url=f"{fake.url}/", topic="egress", token="tk_secret"))
        message = ntfy.report(reports.long(), channel="phone", topic="egress")
        await channel.send(message, delivery_id="d1")
        await channel.close()
        seen = fake.requests[0]
        assert (seen.method, seen.path) == ("POST", "/")
        assert "…".encode() in seen.body
        assert seen.headers["Authorization"] == "Bearer tk_secret"
        assert json.loads(seen.body) == message.body


async def test_user_and_password() -> None:
    async with FakeNtfy(user=("tocsin", "pässword")) as fake:
        settings = NtfySettings(url=fake.url, topic="egress", username="tocsin", password="pässword")
        channel = NtfyChannel("phone", settings)
        await channel.send(MESSAGE, delivery_id="d1")
        assert "topic egress" in await channel.check()
        await channel.close()
        assert "pässword" not in repr(settings)


async def test_waits_grow_while_it_is_throttled_and_start_over_after_ten_messages() -> None:
    async with FakeNtfy() as fake:
        channel = NtfyChannel("phone", NtfySettings(url=fake.url, topic="egress"))
        fake.script(error(42901), error(42901), error(42901))
        assert [await wait(channel) for _ in range(3)] == [5, 10, 20]
        await channel.send(MESSAGE, delivery_id="d1")
        fake.script(error(42901))
        assert await wait(channel) == 40, "a refusal for each message taken is no recovery"
        for _ in range(10):
            await channel.send(MESSAGE, delivery_id="d1")
        fake.script(error(42901))
        assert await wait(channel) == 5
        await channel.close()


async def wait(channel: NtfyChannel) -> float:
    with pytest.raises(TemporaryError) as caught:
        await channel.send(MESSAGE, delivery_id="d1")
    assert caught.value.whole_channel
    assert caught.value.retry_after is not None
    return caught.value.retry_after / timedelta(seconds=1)


@pytest.mark.parametrize("code", [40014, 40018, 40301, 41303])
async def test_refusals_carry_the_code_and_reason(code: int) -> None:
    async with FakeNtfy() as fake:
        channel = NtfyChannel("phone", NtfySettings(url=fake.url, topic="egress"))
        fake.script(error(code))
        with pytest.raises(PermanentError, match=f"ntfy answered {code}: [a-zA-Z]"):
            await channel.send(MESSAGE, delivery_id="d1")
        await channel.close()


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"topic": "a b"}, "pattern"),
        ({"topic": "x" * 65}, "pattern"),
        ({"url": "ftp://ntfy"}, "http"),
        ({"url": "https://ntfy.example/sub"}, "without a path"),
        ({"url": "https://me:pw@ntfy.example"}, "keys of their own"),
        ({"token": "a\r\nX: y"}, "printable"),
        ({"token": "a", "username": "b", "password": "c"}, "keep one"),
        ({"username": "b"}, "belong together"),
        ({"password": "b"}, "belong together"),
        ({"timeout": "0s"}, "greater than"),
        ({"timeout": "61s"}, "less than"),
        ({"server": "x"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_work(wrong: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        NtfySettings(**{"topic": "egress", **wrong})  # type: ignore[arg-type]


def test_every_setting_is_described() -> None:
    assert all(field.description for name, field in NtfySettings.model_fields.items() if name != "type")
