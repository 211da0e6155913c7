"""The configuration: precedence, secrets, and mistakes that say where they are. Documentation is tested as well."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator

from tocsin.errors import ConfigurationError
from tocsin.reference import example
from tocsin.section import Section, format_duration, parse_duration
from tocsin.settings import Settings, load, redacted

REPOSITORY = Path(__file__).parents[2]


def write(directory: Path, text: str) -> Path:
    path = directory / "tocsin.yaml"
    path.write_text(text)
    return path


def test_works_without_a_file() -> None:
    assert load(None, {}).server.port == 8080


def test_environment_wins_over_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "server:\n  port: 1\n  host: 127.0.0.1\nchannels:\n  phone: {type: ntfy, topic: a}\n")
    monkeypatch.setenv("TOCSIN__SERVER__PORT", "2")
    monkeypatch.setenv("TOCSIN__CHANNELS__PHONE__TOPIC", "b")
    settings = load(path)
    assert (settings.server.port, settings.server.host) == (2, "127.0.0.1")
    assert settings.channels["phone"].topic == "b"  # type: ignore[union-attr]


def test_secrets_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("tk_hush\n")
    text = f"channels:\n  phone: {{type: ntfy, topic: a, token_file: {tmp_path}/token}}\nserver: {{bearer: hush2}}\n"
    settings = load(write(tmp_path, text), {})
    assert settings.channels["phone"].token.get_secret_value() == "tk_hush"  # type: ignore[union-attr]
    for shown in (repr(settings), str(redacted(settings)), settings.model_dump_json()):
        assert "hush" not in shown


MISTAKES = {
    "server:\n  prot: 1\n": (2, "server.prot", 'did you mean "port"'),
    "servr:\n  port: 1\n": (1, "servr", 'did you mean "server"'),
    "log_level: info\nserver:\n  port: many\n": (3, "server.port", "integer"),
    "decide:\n  repeat_after: soon\n": (2, "decide.repeat_after", "24h"),
    "channels:\n  phone:\n    type: ntfy\n    topik: a\n    topic: a\n": (4, "topik", 'did you mean "topic"'),
    "channels:\n  phone:\n    type: nfty\n": (2, "channels.phone", "ntfy"),
    "routes:\n  bounded:\n    unexplained: loud\n": (3, "unexplained", "urgent"),
    "server: [\n": (2, "", "not YAML"),
    "- 1\n": (1, "", "mapping"),
    "server:\n  bearer: a\n  bearer_file: /b\n": (1, "server", "keep one"),
    "server:\n  bearer_file: /nowhere/at/all\n": (1, "bearer_file", "cannot read"),
    "server:\n  tls_cert: /a\n": (1, "server", "belong together"),
    "server: {port: 1}\nserver: {host: a}\n": (2, "server", "line 1 already"),
    "decide: {resolved: true, resolved: false}\n": (1, "resolved", "line 1 already"),
    "log_level: info\n7: a\n": (2, "7", "name of a key"),
    "server:\n": (1, "server", "keys below it"),
    "enrich: {deadline: 0s}\n": (1, "enrich.deadline", "greater than"),
    "enrich: {deadline: .inf}\n": (1, "enrich.deadline", "longer than"),
    "channels: {a: {type: console}}\nroutes:\n  unknown:\n    suspicious: {priority: high, channels: [b, a]}\n": (
        4,
        "routes.unknown.suspicious.channels",
        'no channel is called "b"',
    ),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.items(), ids=[repr(text) for text in MISTAKES])
def test_a_mistake_names_file_line_key_and_remedy(tmp_path: Path, text: str, expected: tuple[int, str, str]) -> None:
    path = write(tmp_path, text)
    line, key, remedy = expected
    with pytest.raises(ConfigurationError) as failure:
        load(path, {})
    assert f"{path}:{line}:" in str(failure.value)
    assert key in str(failure.value) and remedy in str(failure.value)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as failure:
        load(write(tmp_path, "server:\n  prot: 1\ndecide:\n  repeat_aftr: 1\n"), {"TOCSIN__SERVR__PORT": "1"})
    assert len(str(failure.value).splitlines()) == 3


def test_lists_words_and_maps_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN__DESTINATION__LAN_DOMAINS", "home.example, lab.example")
    monkeypatch.setenv("TOCSIN__ROUTES__BOUNDED__UNEXPLAINED", "low")
    monkeypatch.setenv("TOCSIN__IDENTIFY__ALERTS", '{"MyAlert": "novel"}')
    settings = load(None)
    assert settings.destination.lan_domains == ("home.example", "lab.example")
    assert settings.routes.bounded.unexplained.priority.value == "low"
    assert dict(settings.identify.alerts) == {"MyAlert": "novel"}


def test_a_mistake_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN__SERVER__PORT", "many")
    with pytest.raises(ConfigurationError, match=r"TOCSIN__SERVER__PORT: .*integer"):
        load(None)


@given(
    st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=999)).map(
        lambda t: t - timedelta(0, 0, t.microseconds)
    )
)
def test_durations_survive(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


def sections(model: type[Section] = Section) -> set[type[Section]]:
    return {model}.union(*map(sections, model.__subclasses__()))


def test_every_duration_is_written_as_the_example_writes_it() -> None:
    durations = [
        (section, name, field)
        for section in sections()
        for name, field in section.model_fields.items()
        if field.annotation is timedelta
    ]
    assert {"refresh_every", "repeat_after", "timeout"} <= {name for _, name, _ in durations}
    for section, name, field in durations:
        assert any(isinstance(mark, BeforeValidator) for mark in field.metadata), f"{section.__name__}.{name}"


def test_the_committed_example_is_what_the_settings_say() -> None:
    committed = (REPOSITORY / "config" / "tocsin.yaml").read_text()
    assert committed == example(), "run: tocsin schema --example > config/tocsin.yaml"
    assert load(REPOSITORY / "config" / "tocsin.yaml", {}) == load(None, {})


def test_the_example_has_every_key() -> None:
    lines = [line.lstrip("# ").split(":")[0] for line in example().splitlines()]

    def names(model: type[BaseModel]) -> set[str]:
        found = set(model.model_fields)
        for field in model.model_fields.values():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                found |= names(field.annotation)
        return found

    assert names(Settings) <= {*lines, "priority", "channels"}


def test_every_key_is_described() -> None:
    def undescribed(model: type[BaseModel], at: str) -> list[str]:
        found = []
        for name, field in model.model_fields.items():
            if not field.description and name != "type":
                found.append(f"{at}{name}")
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                found += undescribed(field.annotation, f"{at}{name}.")
        return found

    assert undescribed(Settings, "") == []


def test_the_commented_channels_work_when_uncommented(tmp_path: Path) -> None:
    text = "channels:\n  phone:\n    type: ntfy\n    topic: egress\n"
    assert load(write(tmp_path, text), {}).channels["phone"].type == "ntfy"
    assert yaml.safe_load(example())["channels"] == {}
