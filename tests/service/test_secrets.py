"""No secret is ever shown: not in logs, answers, metrics, messages, commands, arguments, errors, nor in the store.

The secrets are those of the settings themselves. A new one fails the first test until it has a place in SETTINGS, and
is covered by all the others then.
"""

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin
from urllib.parse import parse_qs, quote

import aiohttp
import pytest
import yaml
from aiohttp import web
from pydantic import BaseModel, SecretStr

from audited import audit
from kit import body, command, novel, tocsin, until
from scripted import RESET, Answer, ScriptedServer, Seen
from tocsin.errors import ConfigurationError, LookupFailed
from tocsin.gitops.git import GitRepository
from tocsin.gitops.layout import Layout
from tocsin.gitops.settings import GitSettings
from tocsin.settings import Settings, load, redacted


class Hidden:
    """Stands in SETTINGS where a secret belongs."""


SETTINGS: dict[str, Callable[[str], dict[str, Any]]] = {
    "tokens": lambda url: {
        "server": {"bearer": Hidden},
        "prometheus": {"url": url, "token": Hidden},
        "gitops": {"git": {"url": f"{url}/home.git", "token": Hidden}},
        "channels": {
            "ntfy": {"type": "ntfy", "url": url, "topic": "egress", "token": Hidden},
            "pushover": {"type": "pushover", "url": url, "token": Hidden, "user": Hidden},
        },
    },
    "passwords": lambda url: {
        "server": {"username": "alertmanager", "password": Hidden},
        "prometheus": {"url": url, "user": "tocsin", "password": Hidden},
        "gitops": {"github": {"repository": "ada/home", "base_url": url, "token": Hidden}},
        "channels": {
            "ntfy": {"type": "ntfy", "url": url, "topic": "egress", "username": "tocsin", "password": Hidden},
        },
    },
}
"""Two configurations that hold every secret; each system is asked at `url`. Channels are called by their type."""


STORE = "store.url"
"""The one that is an address as well; a service without its database does not start, so it has a test of its own."""


def secrets_of(annotation: Any, place: tuple[str, ...] = ()) -> Iterator[str]:
    """Where a type of the settings takes a secret; a map's key is the `type` of what it holds."""
    if annotation is SecretStr:
        yield ".".join(place)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        kind = annotation.model_fields.get("type")
        tag = get_args(kind.annotation)[:1] if kind and get_origin(kind.annotation) is Literal else ()
        for name, field in annotation.model_fields.items():
            yield from secrets_of(field.annotation, (*place, *tag, name))
    else:
        arguments = get_args(annotation)
        for argument in arguments[:1] if get_origin(annotation) is Annotated else arguments:
            yield from secrets_of(argument, place)


def filled(plain: Any, put: Callable[[str], dict[str, Any]], place: tuple[str, ...] = ()) -> Any:
    """The configuration with every Hidden replaced; `put` gives the key and value for a place."""
    if not isinstance(plain, dict):
        return plain
    found: dict[str, Any] = {}
    for key, value in plain.items():
        where = (*place, key)
        found |= put(".".join(where)) if value is Hidden else {key: filled(value, put, where)}
    return found


class Secrets:
    """Values nobody else has, with characters that a URL, a form and base64 write in another way."""

    def __init__(self, directory: Path | None = None) -> None:
        self.values: dict[str, str] = {}
        self._directory = directory

    def put(self, place: str) -> dict[str, str]:
        """A new secret, or with a directory the file that holds it."""
        value = self.values[place] = f"hu5h{len(self.values)}+/=&{place.replace('.', '')[::-1]}"
        key = place.rpartition(".")[2]
        if self._directory is None:
            return {key: value}
        self._directory.mkdir(exist_ok=True)
        (self._directory / place).write_text(f"{value}\n", encoding="utf-8")
        return {f"{key}_file": str(self._directory / place)}

    def shown(self, text: str) -> list[str]:
        """The secrets that can be read in a text."""
        return [place for place, value in self.values.items() if any(form in text for form in forms(value))]


def forms(value: str) -> Iterator[str]:
    """A secret as it is, as an address or a form writes it, and as base64 does, wherever in a longer text it stands."""
    yield from (value, quote(value), quote(value, safe=""), json.dumps(value)[1:-1])
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + value.encode()).decode().rstrip("=")
        yield coded[4 if before else 0 : len(coded) // 4 * 4]


class Parrot(ScriptedServer):
    """Plays every system, fails in every way and repeats the credentials it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self._by_path: dict[str, int] = {}

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        said = self._credentials(seen)
        self.heard.append(said)
        system = seen.path.partition("/ada/home")[0]
        number = self._by_path[system] = self._by_path.get(system, -1) + 1
        answers = failures(said)
        return await self._scripted(answers[number % len(answers)], request)

    def least(self, *paths: str) -> int:
        """How often the least asked of these systems was asked."""
        return min(self._by_path.get(path, 0) for path in paths)

    @staticmethod
    def _credentials(seen: Seen) -> str:
        given = seen.headers.get("Authorization", "")
        scheme, _, coded = given.partition(" ")
        pair = base64.b64decode(coded).decode() if scheme == "Basic" else ""
        form = parse_qs(seen.body.decode(errors="replace"))
        return " ".join(filter(None, [pair, given, *form.get("token", []), *form.get("user", [])]))


def system(path: str) -> str:
    """Whose secrets belong into a request for this path."""
    if path.startswith(("/home.git/", "/repos/")):
        return "gitops."
    return (
        "prometheus."
        if path.startswith("/api/")
        else "channels.pushover."
        if path.startswith("/1/")
        else "channels.ntfy."
    )


def failures(said: str) -> list[Answer]:
    """What can come back, with `said` where a reason belongs."""
    reason = {"error": said, "message": said, "errors": [said], "code": 40101, "http": 401, "status": 0, "token": "x"}
    return [
        Answer(401, json.dumps(reason), headers={"WWW-Authenticate": "Basic"}),
        Answer(500, said, "text/plain"),
        Answer(400, json.dumps({**reason, "code": 40007})),
        Answer(200, json.dumps({"status": "error", "error": said, "errorType": said})),
        Answer(200, f"<html>{quote(said)} {said}", "text/html"),
        Answer(302, headers={"Location": f"http://127.0.0.1:9/{quote(said)}"}),
        Answer(200, '{"data": ' + "[" * 50_000),
        Answer(503, json.dumps(reason)),
        RESET,
    ]


def configured(kind: str, url: str, secrets: Secrets) -> dict[str, Any]:
    patience = {"retry": {"first_after": "10ms", "at_most": "10ms"}, "log_level": "debug"}
    return patience | filled(SETTINGS[kind](url), secrets.put)


def credentials(secrets: Secrets) -> str:
    """The Authorization header that the server wants."""
    if bearer := secrets.values.get("server.bearer"):
        return f"Bearer {bearer}"
    return "Basic " + base64.b64encode(f"alertmanager:{secrets.values['server.password']}".encode()).decode()


def test_every_secret_of_the_settings_is_tried() -> None:
    found = set(secrets_of(Settings))
    tried = Secrets()
    for kind in SETTINGS:
        configured(kind, "http://127.0.0.1", tried)
    assert len(found) >= 10
    assert found == tried.values.keys() | {STORE}, "give a new secret its place in SETTINGS"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://tocsin:hu5h-store@127.0.0.1:9/tocsin",
        "postgresql://tocsin:hu5h-store@nowhere.invalid/tocsin",
        "postgresql://tocsin:hu5h-store@127.0.0.1:port/tocsin",
        "postgresql://tocsin:hu5h-store@[127.0.0.1/tocsin",
        "mysql://tocsin:hu5h-store@127.0.0.1/tocsin",
    ],
)
async def test_the_password_of_the_database_is_not_shown(tmp_path: Path, url: str) -> None:
    path = tmp_path / "tocsin.yaml"
    path.write_text(yaml.safe_dump({"store": {"url": url}}), encoding="utf-8")
    done = await command("incidents", "--config", str(path), directory=tmp_path)
    assert done.code in (1, 2) and "hu5h" not in done.out + done.err
    assert done.err and "Traceback" not in done.err


def test_every_secret_can_come_from_a_file() -> None:
    def fields(annotation: Any) -> Iterator[type[BaseModel]]:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield annotation
            for field in annotation.model_fields.values():
                yield from fields(field.annotation)
        for argument in get_args(annotation):
            yield from fields(argument)

    for section in fields(Settings):
        for name, field in section.model_fields.items():
            if SecretStr in (field.annotation, *get_args(field.annotation)) or "SecretStr" in str(field.annotation):
                assert f"{name}_file" in section.model_fields, f"{section.__name__}.{name}"


@pytest.mark.parametrize("by_file", [False, True], ids=["value", "file"])
@pytest.mark.parametrize("kind", SETTINGS)
async def test_no_secret_is_shown_whatever_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, by_file: bool
) -> None:
    secrets = Secrets(tmp_path / "secrets" if by_file else None)
    record = audit(tmp_path / "audit", monkeypatch)
    home = tmp_path / "home"
    home.mkdir()
    shown: list[str] = []
    async with AsyncExitStack() as stack:
        parrot = await stack.enter_async_context(Parrot())
        configuration = configured(kind, parrot.url, secrets)
        process = await stack.enter_async_context(tocsin(home, configuration))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        wrong = [f"Bearer {secrets.values.get('server.password', 'x')}", "Basic !", f"{credentials(secrets)}x", ""]
        for given, data, status in (
            *((each, body(novel()), 401) for each in wrong),
            (credentials(secrets), b"{}", 400),
            (credentials(secrets), body(novel()), 200),
        ):
            async with session.post(f"{process.url}/webhook", data=data, headers={"Authorization": given}) as answer:
                assert answer.status == status
                shown.append(f"{answer.headers} {await answer.text()}")
        systems = ["/api/v1/query", "/", *(["/1/messages.json"] if kind == "tokens" else [])]
        right, number = {"Authorization": credentials(secrets)}, 0
        async with asyncio.timeout(40):
            while parrot.least(*systems) < len(failures("")):  # messages may come together: until all has failed
                number += 1
                data = body(novel(f"n{number}.example", workload=f"w{number}"))
                async with session.post(f"{process.url}/webhook", data=data, headers=right) as answer:
                    assert answer.status == 200
                await asyncio.sleep(0.02)
        await until(lambda: [entry for entry in process.log if entry["event"].startswith("gitops_")])
        for path in ("/metrics", "/readyz", "/healthz", "/nothing"):
            async with session.get(process.url + path) as answer:
                shown.append(f"{answer.headers} {await answer.text()}")
        shown.append(Path(f"/proc/{process.process.pid}/cmdline").read_text())
        for arguments in (
            *(["check"], ["check", "--offline"], ["send-test"], ["incidents"], ["incidents", "--json"]),
            *(["shadow", "report"], ["render", "payload.json"], ["render", "--json", "payload.json"], ["schema"]),
        ):
            (home / "payload.json").write_bytes(body(novel()))
            done = await command(*arguments, "--config" if arguments != ["schema"] else "--example",
                                 *(["tocsin.yaml"] if arguments != ["schema"] else []), directory=home)  # fmt: skip
            shown += [done.out, done.err]
        assert await process.stop() == 0
        log = process.log
    files = [path for path in home.rglob("*") if path.is_file() and path.name != "tocsin.yaml"]
    assert "tocsin.db" in {path.name for path in files}
    for what, text in {
        "answers and commands": "\n".join(shown),
        "log": json.dumps(log),
        "arguments": json.dumps(record.commands),
        **{path.name: path.read_bytes().decode("latin-1") for path in files},
    }.items():
        assert secrets.shown(text) == [], what
    for each in parrot.requests:
        told = secrets.shown(f"{each.path} {each.headers} {each.body.decode()}")
        assert all(place.startswith(system(each.path)) for place in told), "nobody gets another's"
    used = "\n".join(parrot.heard) + credentials(secrets)
    assert set(secrets.shown(used)) == secrets.values.keys(), "each was in use"
    assert {"delivery_failed", "delivery_dead"} & {entry["event"] for entry in log}


@pytest.mark.parametrize("number", range(len(failures("")) + 1))
async def test_a_git_remote_that_repeats_the_token_is_not_quoted(tmp_path: Path, number: int) -> None:
    secrets = Secrets()
    (value,) = secrets.put("token").values()
    seen: list[str] = []

    class Remote(Parrot):
        async def answer(self, seen_: Seen, request: web.Request) -> web.StreamResponse:
            said = self._credentials(seen_)
            seen.append(said)
            if number < len(failures("")):
                return await self._scripted(failures(said)[number], request)
            lines = [b"# service=git-upload-pack\n", b"", f"ERR refused: {said}\n".encode()]
            text = b"".join(b"%04x%s" % (len(line) + 4, line) if line else b"0000" for line in lines)
            return web.Response(body=text, content_type="application/x-git-upload-pack-advertisement")

    async with Remote() as remote:
        settings = GitSettings(url=f"{remote.url}/home.git", token=SecretStr(value), data_directory=tmp_path)
        with pytest.raises(LookupFailed) as failed:
            await GitRepository(settings, Layout()).refresh()
    assert secrets.shown("".join(seen)) == ["token"]
    assert secrets.shown(str(failed.value)) == []


WRONG: Mapping[str, Callable[[str], Any]] = {
    "list": lambda value: [value],
    "map": lambda value: {value: value},
    "map-of-it": lambda value: {"a": value},
    "line-end": lambda value: f"{value}\n{value}",
    "letters": lambda value: f"{value} é",
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("place", sorted(set(secrets_of(Settings)) - {STORE}))
def test_a_mistake_in_a_secret_does_not_repeat_it(tmp_path: Path, place: str, wrong: str) -> None:
    kind = next(kind for kind in SETTINGS if place in _places(kind))
    secrets = Secrets()

    def put(where: str) -> dict[str, Any]:
        found: dict[str, Any] = secrets.put(where)
        return {key: WRONG[wrong](value) for key, value in found.items()} if where == place else found

    path = tmp_path / "tocsin.yaml"
    path.write_text(yaml.safe_dump(filled(SETTINGS[kind]("http://127.0.0.1"), put)), encoding="utf-8")
    try:
        settings = load(path, {})
    except ConfigurationError as failure:
        assert place.rpartition(".")[2] in str(failure) and secrets.shown(str(failure)) == []
    else:  # a password may hold whatever can be typed
        assert re.fullmatch("line-end|letters", wrong)
        assert secrets.shown(f"{settings!r} {settings} {redacted(settings)} {settings.model_dump_json()}") == []


def _places(kind: str) -> set[str]:
    secrets = Secrets()
    configured(kind, "http://127.0.0.1", secrets)
    return set(secrets.values)


@pytest.mark.parametrize(
    "more",
    [
        {"server": {"bearer": "hu5h-a", "username": "u", "password": "hu5h-b"}},
        {"server": {"bearer": "hu5h-a", "bearer_file": "/nowhere/hu5h-file"}},
        {"server": {"username": "u"}, "prometheus": {"token": "hu5h-a", "user": "u", "password": "hu5h-b"}},
        {"gitops": {"git": {"url": "https://git.example/x", "path": "/x", "token": "hu5h-a"}}},
        {"gitops": {"git": {"url": "https://ada:hu5h-a@git.example/x"}}},
        {"prometheus": {"url": "http://ada:hu5h-a@prometheus.example"}},
        {"channels": {"n": {"type": "ntfy", "topic": "t", "url": "https://ada:hu5h-a@ntfy.example"}}},
        {"channels": {"n": {"type": "ntfy", "topic": "t", "tokens": "hu5h-a", "token": "hu5h-b", "username": "u"}}},
        {"channels": {"n": {"type": "nfty", "token": "hu5h-a"}}},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_mistake_around_a_secret_does_not_repeat_it(tmp_path: Path, more: dict[str, Any]) -> None:
    path = tmp_path / "tocsin.yaml"
    path.write_text(yaml.safe_dump(more), encoding="utf-8")
    with pytest.raises(ConfigurationError) as failed:
        load(path, {})
    said = str(failed.value).replace("hu5h-file", "")
    assert "hu5h" not in said and next(iter(more)) in said


@pytest.mark.parametrize(
    "sign", ["!", "!!", "!!python/", "*", "@", "`", "%", "{", "[", '"', "'", "|", ">", ": ", "a: "]
)
def test_a_secret_that_is_no_yaml_without_quotes_is_not_repeated(tmp_path: Path, sign: str) -> None:
    path = tmp_path / "tocsin.yaml"
    path.write_text(f"server:\n  username: u\n  password: {sign}hu5h-a b\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(str(path))) as failed:
        load(path, {})
    assert "hu5h" not in str(failed.value)
