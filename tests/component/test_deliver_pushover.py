"""What is particular to Pushover."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

import reports
from fake_pushover import TOKEN, USER, FakePushover, quota_used_up
from scripted import RESET, Answer
from tocsin.deliver.pushover import PushoverChannel, PushoverSettings
from tocsin.errors import PermanentError, TemporaryError
from tocsin.render import pushover

MESSAGE = pushover.report(reports.hostile(), channel="phone")


async def test_token_user_and_device_are_added_when_sending() -> None:
    async with FakePushover() as fake:
        channel = PushoverChannel("phone", PushoverSettings(url=fake.url, token=TOKEN, user=USER, device="phone"))
        await channel.send(MESSAGE, delivery_id="d1")
        await channel.close()
        assert fake.received[0].items() >= {"token": TOKEN, "user": USER, "device": "phone", "html": "1"}.items()
        assert fake.requests[0].path == "/1/messages.json"
        assert TOKEN not in str(MESSAGE.body)


async def test_check_names_the_devices() -> None:
    async with FakePushover() as fake:
        channel = PushoverChannel("phone", PushoverSettings(url=fake.url, token=TOKEN, user=USER))
        assert await channel.check() == "Pushover knows token and user; devices: phone, tablet"
        await channel.close()


async def test_a_used_up_quota_pauses_the_channel_until_it_resets() -> None:
    async with FakePushover() as fake:
        channel = PushoverChannel("phone", PushoverSettings(url=fake.url, token=TOKEN, user=USER))
        fake.script(quota_used_up(int((datetime.now(UTC) + timedelta(days=3)).timestamp())))
        with pytest.raises(TemporaryError, match="quota") as caught:
            await channel.send(MESSAGE, delivery_id="d1")
        await channel.close()
        assert caught.value.whole_channel
        assert caught.value.retry_after is not None
        assert timedelta(days=2, hours=23) < caught.value.retry_after <= timedelta(days=3)


@pytest.mark.parametrize("answer", [RESET, Answer(500), Answer(503, "<html>", "text/html")])
async def test_nothing_is_tried_again_within_five_seconds(answer: Answer) -> None:
    async with FakePushover() as fake:
        channel = PushoverChannel("phone", PushoverSettings(url=fake.url, token=TOKEN, user=USER))
        fake.script(answer)
        with pytest.raises(TemporaryError) as caught:
            await channel.send(MESSAGE, delivery_id="d1")
        await channel.close()
        assert caught.value.retry_after == timedelta(seconds=5)


async def test_what_it_refuses_is_told() -> None:
    async with FakePushover() as fake:
        channel = PushoverChannel("phone", PushoverSettings(url=fake.url, token=TOKEN, user="u" * 30))
        with pytest.raises(PermanentError, match="Pushover answered 400: user identifier is not a valid user"):
            await channel.send(MESSAGE, delivery_id="d1")
        await channel.close()


def test_secrets_come_from_files_and_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "user").write_text(f"{USER}\n")
    settings = PushoverSettings.model_validate(
        {"type": "pushover", "token_file": str(tmp_path / "token"), "user_file": str(tmp_path / "user")}
    )
    assert settings.token.get_secret_value() == TOKEN
    assert TOKEN not in repr(settings) + settings.model_dump_json()
    assert USER not in repr(settings) + settings.model_dump_json()


@pytest.mark.parametrize("wrong", [{"device": "a b"}, {"token": "a b"}, {"url": "pushover.net"}, {"user": ""}])
def test_settings_that_cannot_work(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        PushoverSettings(**{"token": TOKEN, "user": USER, **wrong})  # type: ignore[arg-type]


def test_every_setting_is_described() -> None:
    assert all(field.description for name, field in PushoverSettings.model_fields.items() if name != "type")
