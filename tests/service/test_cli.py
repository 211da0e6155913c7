"""The command line as a person uses it: what it prints, where, and with which exit code."""

import asyncio
import json
import re
import sqlite3
import sys
import unicodedata
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
import structlog
import yaml
from aiohttp import web
from click.testing import CliRunner

import gitops_repos
from fake_github import REPOSITORY as GITHUB_REPOSITORY
from fake_github import FakeGitHub
from fake_ntfy import FakeNtfy, error
from fake_pushover import TOKEN, USER, FakePushover, refusal
from kit import Done, Process, alert, body, command, novel, tocsin, until, webhook
from scripted import RESET, Answer, ScriptedServer, Seen, page
from tocsin import preview
from tocsin.cli import main
from tocsin.errors import TocsinError
from tocsin.settings import Settings
from tocsin.store.sqlite import Sqlite

REPOSITORY = Path(__file__).parents[2]
FIRING = REPOSITORY / "tests" / "fixtures" / "alertmanager" / "0.25" / "firing.json"
NOBODY = "http://127.0.0.1:9"
HOSTILE = "\x1b[31mred\x9b2J\r\nnew line\u202e\u200b<script>alert(1)</script>\x00"


def configure(directory: Path, **sections: Any) -> Path:
    path = directory / "tocsin.yaml"
    path.write_text(yaml.safe_dump(sections, sort_keys=False))
    return path


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In a directory of its own, with a log that ends with the command."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tocsin.log.configure", log_to_this_stderr)
    yield
    structlog.reset_defaults()


def log_to_this_stderr(level: str) -> None:
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info]
        + [structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def invoke(*arguments: str, stdin: bytes = b"", **environment: str) -> Done:
    """The command in this process, which is faster than a process of its own (`kit.command`)."""
    result = CliRunner(env={"TOCSIN_CONFIG": "", **environment}).invoke(main, arguments, input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)


async def run(*arguments: str, stdin: bytes = b"", **environment: str) -> Done:
    """The same beside the servers of this test."""
    return await asyncio.to_thread(invoke, *arguments, stdin=stdin, **environment)


def lines(text: str, begin: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(begin)]


def unseen(text: str) -> set[str]:
    """Control and format characters, which a terminal obeys or hides, other than the ends of lines."""
    return {char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}} - {"\n"}


# -- help and exit codes ----

HELP = {
    "": ("Alertmanager", "Exit codes: 0 done, 1 a problem that was reported, 2 wrong usage or", *main.commands),
    "serve": ("SIGTERM", "--config", "$TOCSIN_CONFIG", "/etc/tocsin/tocsin.yaml if it exists"),
    "check": ("Sends nothing", "file and line", "--offline", "ask no other system"),
    "render": ("PAYLOAD", "- for standard input", "Sends nothing", "ntfy|pushover|console", "--offline", "--json"),
    "send-test": ("every channel", "--through-alertmanager URL", "route, webhook, credentials"),
    "incidents": ("[INCIDENT]", "beginning of) its ID", "--limit", "default: 30", "--json"),
    "shadow": ("report", "while mode was shadow"),
    "resolve": ("no configuration file", "--repo", "--rev", "--namespace", "--pod", "--batch", "--root", "unresolved"),
    "policies": ("audit", "egress"),
    "rules": ("PrometheusRule", "--plain", "Mimir", "--output", "kustomize/components/rules", "apps.yaml"),
    "store": ("backup", "restore", "copy"),
    "schema": ("JSON Schema", "--example", "every default", "--openapi"),
    "demo": ("real Prometheus and Alertmanager", "--once", "0 only if the right messages arrived"),
}  # fmt: skip


@pytest.mark.parametrize("name", ["", *main.commands])
def test_help_says_what_a_person_needs(name: str) -> None:
    result = invoke(*name.split(), "--help")
    said = " ".join((result.out + result.err).split())
    assert result.code == 0
    assert [words for words in HELP[name] if words not in said] == []


async def test_exit_codes_of_the_real_program(tmp_path: Path) -> None:
    async def code(*arguments: str, stdin: bytes = b"") -> int:
        done = await command(*arguments, directory=tmp_path, stdin=stdin)
        assert "Traceback" not in done.err
        assert bool(done.err) is (done.code > 0), "a failure says why on standard error, and nothing else is said there"
        return done.code

    codes = await asyncio.gather(
        code("--version"),
        code("check", "--offline"),
        code("incidents"),
        code("render", "-", stdin=b"{}"),
        code("check", "--offline", "--config", "nowhere.yaml"),
        code("serve", "--config", "nowhere.yaml"),
        code("render", "nowhere.json"),
        code("send-test", "--through-alertmanager", "alertmanager:9093"),
        code("frobnicate"),
    )
    assert codes == [0, 0, 1, 1, 2, 2, 2, 2, 2]


# -- check ----

MISTAKES = {
    "an unknown key": ("server:\n  prot: 1\n", ":2: server.prot: unknown key; did you mean \"port\"?"),
    "a value of another kind": ("log_level: info\nserver:\n  port: many\n", ":3: server.port: "),
    "no YAML": ("server: [\n", ":2: not YAML"),
    "a missing secret": ("server:\n  bearer_file: /nowhere/at/all\n", ":1: server: bearer_file: cannot read"),
    "an empty secret": ("server:\n  bearer: ''\n", ":2: server.bearer: "),
    "a route to nowhere": (
        "channels:\n  phone: {type: console}\nroutes:\n  unjudged: {priority: low, channels: [phnoe]}\n",
        ':4: routes.unjudged.channels: no channel is called "phnoe"; did you mean "phone"?',
    ),
    "a missing topic": ("channels:\n  phone:\n    type: ntfy\n", ":2: channels.phone.ntfy.topic: Field required"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
async def test_a_mistake_is_told_with_file_and_line_and_is_exit_code_2(tmp_path: Path, what: str) -> None:
    text, told = MISTAKES[what]
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    done = await run("check", "--offline", "--config", str(path))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"{path}{told}") and len(done.err.splitlines()) == 1


async def test_mistakes_in_apps_yaml_have_its_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "apps.yaml").write_text("apps:\n  - match: media/recyclarr\n    postur: bounded\n")
    path = configure(tmp_path, apps_file="apps.yaml")
    done = await run("check", "--offline", TOCSIN_CONFIG=str(path))
    assert (done.code, done.out) == (2, "")
    assert f'{tmp_path}/apps.yaml:3: apps.0.postur: unknown key; did you mean "posture"?' in done.err.splitlines()


async def test_offline_without_mistakes_says_what_is_not_set(tmp_path: Path) -> None:
    done = await run("check", "--offline")
    assert (done.code, done.err) == (0, "")
    assert lines(done.out, "ok    configuration") and not lines(done.out, "wrong")
    notes = "\n".join(lines(done.out, "note"))
    assert all(name in notes for name in ("channel", "server.bearer_file", "prometheus.url", "gitops"))
    assert list(tmp_path.iterdir()) == []


async def test_offline_finds_what_the_keys_alone_do_not_show(tmp_path: Path) -> None:
    path = configure(
        tmp_path,
        server={"tls_cert": str(tmp_path / "none.pem"), "tls_key": str(tmp_path / "none.key")},
    )
    done = await run("check", "--offline", "--config", str(path))
    (wrong,) = lines(done.out, "wrong")
    assert done.code == 1 and wrong.startswith(
        f"wrong server: cannot use {tmp_path}/none.pem and {tmp_path}/none.key: "
    )


class FakePrometheus(ScriptedServer):
    """Answers `tocsin check` with 7 of everything but what it is lacking; with a token it wants that."""

    def __init__(self, token: str = "", version: str = "3.7.1", lacking: str = "") -> None:
        super().__init__()
        self._token, self._version, self._lacking = token, version, lacking

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        if self._token and seen.headers.get("Authorization") != f"Bearer {self._token}":
            return web.Response(status=401, text="Unauthorized")
        if seen.path.endswith("buildinfo"):
            return web.json_response({"status": "success", "data": {"version": self._version}})
        lacking = self._lacking and self._lacking in parse_qs(seen.body.decode())["query"][0]
        vector = [] if lacking else [{"metric": {}, "value": [0, "7"]}]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": vector}})


class FakeAlertmanager(ScriptedServer):
    """Takes alerts as API version 2 does."""

    def __init__(self) -> None:
        super().__init__()
        self.alerts: list[dict[str, Any]] = []

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        if (seen.method, seen.path) != ("POST", "/api/v2/alerts"):
            return web.Response(status=404)
        self.alerts += json.loads(seen.body)
        return web.Response()


def connected(ntfy: str, pushover: str, prometheus: str, gitops: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A configuration that names a system of each kind, all with a secret that is the fakes' own."""
    return {
        "prometheus": {"url": prometheus, "token": "hush-prometheus"},
        "gitops": gitops,
        "channels": {
            "phone": {"type": "ntfy", "url": ntfy, "topic": "egress", "token": "hush-ntfy"},
            "second": {"type": "pushover", "url": pushover, "token": TOKEN, "user": USER},
        },
        **more,
    }


async def test_check_says_ok_for_each_system_that_answers_and_sends_nothing(tmp_path: Path) -> None:
    repository = gitops_repos.recyclarr(tmp_path / "repository")
    async with (
        FakeNtfy(token="hush-ntfy") as ntfy,
        FakePushover() as pushover,
        FakePrometheus("hush-prometheus") as prom,
    ):
        gitops = {"git": {"path": str(repository.path)}}
        path = configure(tmp_path, **connected(ntfy.url, pushover.url, prom.url, gitops))
        done = await run("check", "--config", str(path))
        assert (done.code, done.err, lines(done.out, "wrong")) == (0, "", [])
        assert not ntfy.received and not pushover.received
    said = "\n".join(lines(done.out, "ok"))
    for words in (
        "configuration",
        "store: tocsin.db does not exist yet",
        "prometheus: Prometheus 3.7.1 at 127.0.0.1",
        "lookups: 7 series",
        "kube-state-metrics: owners and ages of pods are known",
        "gitops: git: 2 policies",
        "channel phone: ntfy",
        "topic egress",
        "channel second: Pushover knows token and user; devices: phone, tablet",
    ):
        assert words in said
    assert sorted(each.name for each in tmp_path.iterdir()) == ["repository", "tocsin.yaml"], "it makes no store"


@pytest.mark.parametrize(
    ("lacking", "code", "line"),
    [
        ("hubble_dns_queries_total", 1, "wrong lookups: no hubble_dns"),
        ("kube_", 0, "note  kube-state-metrics: no kube_"),
    ],
)
async def test_check_fails_where_detection_cannot_work_and_notes_what_it_lacks(
    tmp_path: Path, lacking: str, code: int, line: str
) -> None:
    async with FakePrometheus(lacking=lacking) as prom:
        done = await run("check", "--config", str(configure(tmp_path, prometheus={"url": prom.url})))
    assert (done.code, done.err, len(lines(done.out, line))) == (code, "", 1)


async def test_check_says_wrong_for_each_system_that_refuses_the_credentials(tmp_path: Path) -> None:
    github = FakeGitHub(gitops_repos.recyclarr(tmp_path / "repository").path)
    github.token = "another"
    async with (
        FakeNtfy(token="another") as ntfy,
        FakePushover(user="another") as pushover,
        FakePrometheus("another") as prom,
        github.serving(),
    ):
        gitops = {"github": {"repository": GITHUB_REPOSITORY, "base_url": github.url, "token": "hush-github"}}
        path = configure(tmp_path, **connected(ntfy.url, pushover.url, prom.url, gitops))
        done = await run("check", "--config", str(path))
    assert (done.code, done.err) == (1, "")
    wrong = "\n".join(lines(done.out, "wrong"))
    for words in (
        "prometheus: HTTP 401",
        "gitops: authentication failed",
        "channel phone: ntfy answered 40101: unauthorized",
        "channel second: Pushover answered 400: user identifier is not a valid user",
    ):
        assert words in wrong
    assert len(lines(done.out, "wrong")) == 4
    assert "hush" not in done.out and TOKEN not in done.out and USER not in done.out


async def test_check_says_wrong_for_each_system_that_is_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    gitops = {"git": {"url": f"{NOBODY}/home.git", "data_directory": str(tmp_path / "git")}}
    settings = connected(NOBODY, NOBODY, NOBODY, gitops, store={"path": str(tmp_path / "file" / "tocsin.db")})
    done = await run("check", "--config", str(configure(tmp_path, **settings)))
    assert (done.code, done.err) == (1, "")
    assert {line.split(":")[0] for line in lines(done.out, "wrong")} == {
        *("wrong store", "wrong prometheus", "wrong gitops", "wrong channel phone", "wrong channel second")
    }
    assert "connection refused" in done.out and "cannot reach the repository" in done.out


async def test_check_of_a_store_that_is_there_leaves_it_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "wrong.db").write_bytes(b"no database, but as long as one " * 64)
    path = configure(tmp_path, store={"path": str(tmp_path / "wrong.db")})
    done = await run("check", "--config", str(path))
    assert done.code == 1
    assert "wrong store: cannot open the store" in done.out and "not a database" in done.out
    async with tocsin(tmp_path, {}) as process:
        done = await run("check", "--config", str(tmp_path / "tocsin.yaml"))
        assert done.code == 0 and f"ok    store: {tmp_path}/tocsin.db" in done.out
        assert (await post(process, body(novel())))[0] == 200, "the service goes on beside it"


async def test_a_mistake_of_ours_about_one_system_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: object) -> str:
        raise KeyError("metric")

    monkeypatch.setattr("tocsin.enrich.prometheus.Prometheus.check", broken)
    async with FakeNtfy() as ntfy:
        channels = {"phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress"}}
        path = configure(tmp_path, prometheus={"url": NOBODY}, channels=channels)
        done = await run("check", "--config", str(path))
    assert done.code == 1
    assert lines(done.out, "wrong") == ["wrong prometheus: internal error (KeyError)"]
    assert len(lines(done.out, "ok    channel phone")) == 1
    assert "Traceback" in json.loads(done.err)["exception"], "whoever mends it needs to know where"


async def test_a_mistake_of_ours_about_detection_does_not_hide_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.detection.ask.questions", lambda _: 1 / 0)
    async with FakePrometheus() as prom:
        done = await run("check", "--config", str(configure(tmp_path, prometheus={"url": prom.url})))
    assert done.code == 1
    assert lines(done.out, "wrong") == ["wrong detection: internal error (ZeroDivisionError)"]
    assert len(lines(done.out, "ok    prometheus: Prometheus 3.7.1")) == 1
    assert "Traceback" in json.loads(done.err)["exception"]


async def test_what_a_system_answers_never_reaches_the_terminal_raw(tmp_path: Path) -> None:
    version = json.dumps({"status": "success", "data": {"version": HOSTILE}})
    async with FakeNtfy() as ntfy, FakePrometheus() as prometheus:
        prometheus.script(Answer(200, version))
        ntfy.script(Answer(403, HOSTILE, "text/plain"))
        channels = {"phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress"}}
        path = configure(tmp_path, prometheus={"url": prometheus.url}, channels=channels)
        done = await run("check", "--config", str(path))
    assert done.code == 1 and done.out.count("31mred") == 2
    assert not unseen(done.out) and all(
        line.startswith(("ok    ", "note  ", "wrong ")) for line in done.out.splitlines()
    )


# -- render ----

FIELDS = {
    "ntfy": {"topic", "title", "message", "priority", "tags", "actions", "sequence_id"},
    "pushover": {"title", "message", "html", "priority", "url", "url_title", "timestamp"},
    "console": {"text"},
}


@pytest.mark.parametrize("kind", FIELDS)
async def test_render_needs_no_configuration_and_prints_the_fields_of_the_request(tmp_path: Path, kind: str) -> None:
    done = await run("render", "--channel", kind, "--json", "-", stdin=FIRING.read_bytes())
    assert (done.code, done.err) == (0, "")
    (message,) = json.loads(done.out)
    assert set(message) == {"channel", "body"} and message["channel"] == kind
    assert set(message["body"]) == FIELDS[kind], "no secret, nothing else that is not sent"
    assert "Prometheus is not configured" in message["body"].get("message", message["body"].get("text"))
    assert list(tmp_path.iterdir()) == []


async def test_render_offline_looks_nothing_up_and_says_so(tmp_path: Path) -> None:
    async with FakePrometheus() as prometheus:
        path = configure(tmp_path, prometheus={"url": prometheus.url})
        done = await run("render", "--offline", "--config", str(path), str(FIRING))
        assert prometheus.requests == []
    assert done.code == 0 and "Prometheus was not asked (offline)" in done.out


async def test_render_for_a_person(tmp_path: Path) -> None:
    channels = {"phone": {"type": "ntfy", "topic": "egress"}, "log": {"type": "console"}}
    path = configure(tmp_path, channels=channels)
    done = await run("render", "--config", str(path), str(FIRING))
    assert done.code == 0
    heads = [line for line in done.out.splitlines() if line.startswith("--- ")]
    assert heads == ["--- phone (ntfy)", "--- log (console)"]
    assert done.out.count("Unexplained: media/recyclarr") == 2, "a title is shown once a message"


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"", "not JSON"),
        (b'{"alerts": []}', "version: missing"),
        (body(version="3"), 'version is "3"; tocsin reads version "4"'),
        (body({**novel(), "startsAt": "yesterday"}), "alerts[0].startsAt: not an RFC 3339 instant"),
    ],
)
async def test_a_payload_that_is_no_webhook_is_one_sentence(tmp_path: Path, payload: bytes, said: str) -> None:
    done = await run("render", "-", stdin=payload)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("tocsin: ") and said in done.err and len(done.err.splitlines()) == 1


async def test_a_payload_about_which_nothing_is_sent_says_so(tmp_path: Path) -> None:
    path = configure(tmp_path, routes={"bounded": {"unexplained": {"priority": "high", "channels": []}}})
    resolved = await run("render", "-", stdin=body(novel(status="resolved")))
    unrouted = await run("render", "--config", str(path), str(FIRING))
    listed = await run("render", "--json", "-", stdin=body(novel(status="resolved")))
    assert resolved.out.startswith("Nothing would be sent: ") and unrouted.out == resolved.out
    assert "no alert in it fires" in resolved.out and "`routes`" in resolved.out
    assert (resolved.code, unrouted.code, listed.code, json.loads(listed.out)) == (0, 0, 0, [])


async def test_a_mistake_of_ours_is_not_taken_for_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("tocsin.cases.sort_out", broken)
    with pytest.raises(TocsinError, match="processing this webhook failed"):
        await preview.messages(Settings(), body(novel()), kind=None, offline=True)


async def test_render_prints_what_serve_sends_and_sends_nothing_itself(tmp_path: Path) -> None:
    since = {"starts_at": datetime.now(UTC) - timedelta(days=30.5)}  # whole days are told, and none ends meanwhile
    payload = body(
        novel(**since),
        novel("www.paste-drop.example", workload="radarr", **since),
        novel(f"a{HOSTILE}.evil.example", workload=f"w{HOSTILE}", **since),
        alert("EgressVolumeAnomaly", namespace="media", workload="sonarr", **since),
        alert("KubePodCrashLooping", namespace="media", pod="sonarr-0", **since),
    )
    async with FakeNtfy(token="hush-ntfy") as ntfy, FakePushover() as pushover:
        gitops = {"git": {"path": str(tmp_path / "no-repository")}}
        async with tocsin(tmp_path, connected(ntfy.url, pushover.url, NOBODY, gitops)) as process:
            await until(lambda: [line for line in process.log if line["event"] == "gitops_refresh_failed"])
            assert (await post(process, payload))[0] == 200
            await until(lambda: len(ntfy.received) == len(pushover.received) == 5)
        sent = [json.loads(request.body) for request in ntfy.requests]
        forms = [{name: form[name] for name in form.keys() - {"token", "user"}} for form in pushover.received]
        asked = len(ntfy.requests), len(pushover.requests)
        path = str(tmp_path / "tocsin.yaml")
        done = await command("render", "--json", "--config", path, "-", directory=tmp_path, stdin=payload)
        assert (len(ntfy.requests), len(pushover.requests)) == asked
    assert done.code == 0 and not {"hush-ntfy", "hush-prometheus", TOKEN, USER} & set(re.split(r"[^\w-]+", done.out))
    bodies: dict[str, list[dict[str, Any]]] = {"phone": [], "second": []}
    for message in json.loads(done.out):
        bodies[message["channel"]].append(message["body"])
    written = [{name: str(value) for name, value in each.items()} for each in bodies["second"]]
    assert comparable(bodies["phone"]) == comparable(sent)
    assert comparable(written) == comparable(forms)


def comparable(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In one order, and without what no two processes have in common."""
    own = {"timestamp", "sequence_id"}
    found = [{name: value for name, value in message.items() if name not in own} for message in messages]
    return sorted(found, key=lambda message: str(message["title"]))


# -- send-test ----


async def test_send_test_says_what_became_of_each_channel(tmp_path: Path) -> None:
    async with FakeNtfy() as ntfy, FakePushover() as pushover:
        channels = {
            "phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress"},
            "second": {"type": "pushover", "url": pushover.url, "token": TOKEN, "user": USER},
            "here": {"type": "console"},
        }
        path = str(configure(tmp_path, channels=channels))
        done = await command("send-test", "--config", path, directory=tmp_path)
        assert (done.code, done.err) == (0, "")
        assert lines(done.out, "ok") == [f"ok    channel {name}: sent" for name in channels]
        assert not lines(done.out, "wrong") and "ntfy_accepted" not in done.out, "the log is no part of the answer"
        told = [ntfy.received[0], pushover.received[0]]
        assert [message["title"] for message in told] == ["tocsin test message"] * 2
        assert all("Nothing is wrong." in message["message"] for message in told)

        ntfy.script(error(40301))
        pushover.script(refusal(400, "application token is invalid"))
        done = await run("send-test", "--config", path)
        assert done.code == 1
        assert lines(done.out, "wrong") == [
            "wrong channel phone: ntfy answered 40301: forbidden",
            "wrong channel second: Pushover answered 400: application token is invalid",
        ]
        assert lines(done.out, "ok") == ["ok    channel here: sent"]


async def test_send_test_through_alertmanager(tmp_path: Path) -> None:
    path = str(configure(tmp_path, identify={"alerts": {"MyEgress": "novel"}}))

    async def send(url: str) -> Done:
        done = await run("send-test", "--config", path, "--through-alertmanager", url)
        assert done.err == "" and len(done.out.splitlines()) == 1 and not unseen(done.out)
        return done

    async with FakeAlertmanager() as alertmanager:
        done = await send(f"{alertmanager.url}/")
        assert done.code == 0 and done.out.startswith("ok    MyEgress for tocsin-test/send-test is in Alertmanager")
        (posted,) = alertmanager.alerts
        assert posted["labels"]["alertname"] == "MyEgress" and posted["startsAt"] < posted["endsAt"]
        assert {"namespace", "workload", "destination"} <= posted["labels"].keys()
        alertmanager.script(page(502), Answer(400, HOSTILE, "text/plain"), RESET)
        said = [await send(alertmanager.url) for _ in range(3)]
        said.append(await send("http://user:hush@127.0.0.1:9"))
    assert [each.code for each in said] == [1, 1, 1, 1]
    assert "answered 502" in said[0].out and "answered 400: \\x1b[31mred" in said[1].out
    assert "wrong Alertmanager at 127.0.0.1:9: " in said[3].out and "hush" not in said[3].out


# -- incidents ----


async def post(process: Process, data: bytes) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.post(f"{process.url}/webhook", data=data) as response:
        return response.status, await response.json()


@pytest.fixture
async def busy(tmp_path: Path) -> AsyncIterator[Process]:
    """A running service that was told of three incidents: one delivered, one refused by ntfy, one hostile."""
    async with FakeNtfy() as ntfy:
        channels = {"phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress"}}
        async with tocsin(tmp_path, {"channels": channels}) as process:
            await post(process, body(novel()))
            await until(lambda: ntfy.received)
            ntfy.script(error(40014))
            await post(process, body(alert("KubePodCrashLooping", namespace="media", pod="sonarr-0")))
            await until(lambda: [line for line in process.log if line["event"] == "delivery_dead"])
            await post(process, body(novel(f"a{HOSTILE}.b.example", pod=f"p{HOSTILE}", workload=f"w{HOSTILE}")))
            await until(lambda: len(ntfy.received) == 2)
            yield process


async def test_incidents_beside_a_running_service(busy: Process, tmp_path: Path) -> None:
    config = str(tmp_path / "tocsin.yaml")

    async def show(*arguments: str) -> Done:
        return await run("incidents", "--config", config, *arguments)

    table = await show()
    assert table.code == 0
    head, hostile, crash, first = table.out.splitlines()
    assert head.split() == ["ID", "STATE", "VERDICT", "CLASS", "SEEN", "LAST", "(UTC)", "SUBJECT"]
    assert "firing  unexplained  bounded" in first and first.endswith("media/recyclarr files.paste-drop[.]example")
    assert crash.endswith("KubePodCrashLooping  (not told)")
    assert not unseen(table.out) and "\\x1b" in hostile
    assert len((await show("--limit", "1")).out.splitlines()) == 2

    listed = json.loads((await show("--json")).out)
    assert [row["id"] for row in listed] == [line.split()[0] for line in (hostile, crash, first)]
    assert {row["seen"] for row in listed} == {1} and listed[2]["told_at"] and not listed[1]["told_at"]

    page = await show(listed[2]["id"])
    assert page.code == 0
    for words in ("unexplained, class bounded, firing, seen 1 time\n", "first: unexplained", "recyclarr is bounded"):
        assert words in page.out
    assert page.out.endswith("message  phone sent after 1 attempt\n")
    dead = await show(listed[1]["id"][:20])
    assert "message  phone dead after 1 attempt: ntfy answered 40014: invalid request" in dead.out
    detail = json.loads((await show(listed[1]["id"], "--json")).out)
    assert detail["deliveries"][0]["state"] == "dead" and detail["alerts"][0]["pod"] == "sonarr-0"

    for arguments in ((listed[0]["id"],), (listed[0]["id"], "--json"), ("--json",)):
        result = await show(*arguments)
        assert result.code == 0 and not unseen(result.out + result.err) and "red" in (result.out + result.err)
    for unknown in ("nonsense", listed[0]["id"][:2]):
        result = await show(unknown)
        assert (result.code, result.out) == (1, "")
        assert result.err == f"tocsin: no incident, or more than one, has an ID that begins with {unknown}\n"


async def test_incidents_after_the_service_has_ended(tmp_path: Path) -> None:
    async with tocsin(tmp_path, {}) as process:
        await post(process, body(novel()))
    result = await run("incidents", TOCSIN_CONFIG=str(tmp_path / "tocsin.yaml"))
    assert result.code == 0 and "media/recyclarr" in result.out


def test_incidents_without_a_store_that_can_be_read(tmp_path: Path) -> None:
    for path, content, said in (
        (tmp_path / "missing.db", None, "there is no store at"),
        (tmp_path / "wrong.db", b"no database, but as long as one " * 64, "not a database"),
        (tmp_path / "empty.db", b"", "no such table"),
    ):
        if content is not None:
            path.write_bytes(content)
        result = invoke("incidents", "--config", str(configure(tmp_path, store={"path": str(path)})))
        assert (result.code, result.out) == (1, "")
        assert said in result.err and str(path) in result.err
        assert path.exists() is (content is not None)


def test_a_damaged_store_is_a_sentence(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "damaged.db") as connection:
        connection.execute("CREATE TABLE schema_version (version INTEGER)")
    connection.close()
    result = invoke("incidents", "--config", str(configure(tmp_path, store={"path": str(tmp_path / "damaged.db")})))
    assert (result.code, result.out) == (1, "")
    assert "no such table: incident" in result.err


def test_no_incident_is_no_table_and_less_than_one_cannot_be_listed(tmp_path: Path) -> None:
    assert invoke("incidents", "--limit", "0").code == 2
    store = Sqlite(str(tmp_path / "tocsin.db"))
    store.open()
    config = str(configure(tmp_path, store={"path": str(tmp_path / "tocsin.db")}))
    assert invoke("incidents", "--config", config).out == "No incidents yet.\n"
    assert json.loads(invoke("incidents", "--config", config, "--json").out) == []
    store.close()


# -- schema ----


class Schema:
    """As much of JSON Schema as the configuration's makes use of: types, keys, references, alternatives."""

    TYPES: Mapping[str, Any] = {
        "object": dict,
        "array": list,
        "string": str,
        "integer": int,
        "number": int | float,
        "boolean": bool,
        "null": type(None),
    }

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._definitions = schema.get("$defs", {})
        self._schema = schema

    def complaints(self, value: Any, schema: Mapping[str, Any] | None = None, at: str = "") -> list[str]:
        """What of `value` the schema does not allow."""
        schema = self._schema if schema is None else schema
        if "$ref" in schema:
            return self.complaints(value, self._definitions[schema["$ref"].removeprefix("#/$defs/")], at)
        if alternatives := schema.get("anyOf", schema.get("oneOf")):
            found = [self.complaints(value, each, at) for each in alternatives]
            return [] if [] in found else min(found, key=len)
        wanted = schema.get("type")
        if wanted and (not isinstance(value, self.TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean")):
            return [f"{at}: {value!r} is not {wanted}"]
        if ("enum" in schema and value not in schema["enum"]) or ("const" in schema and value != schema["const"]):
            return [f"{at}: {value!r} is none of those allowed"]
        if isinstance(value, dict):
            return self._object(value, schema, at)
        if isinstance(value, list):
            return [each for item in value for each in self.complaints(item, schema.get("items", {}), f"{at}[]")]
        return []

    def _object(self, value: dict[str, Any], schema: Mapping[str, Any], at: str) -> list[str]:
        known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        found = [f"{at}.{key} is missing" for key in schema.get("required", ()) if key not in value]
        for key, each in value.items():
            if key in known or isinstance(others, dict):
                found += self.complaints(each, known.get(key, others), f"{at}.{key}")
            elif not others:
                found.append(f"{at}.{key} is unknown")
        return found


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    result = invoke("schema")
    assert result.code == 0
    found: dict[str, Any] = json.loads(result.out)
    return found


def test_the_schema_takes_every_configuration_that_is_documented(schema: dict[str, Any], tmp_path: Path) -> None:
    fits = Schema(schema)
    assert fits.complaints(yaml.safe_load((REPOSITORY / "config" / "tocsin.yaml").read_text())) == []
    assert fits.complaints(connected(NOBODY, NOBODY, NOBODY, {"git": {"url": "https://git.example/home"}})) == []
    twins = {"type": "pushover", "token_file": "/run/token", "user_file": "/run/user"}
    assert fits.complaints({"channels": {"phone": twins}}) == [], "a secret may come from its file"
    assert fits.complaints({"servr": {}}) == [".servr is unknown"]
    assert fits.complaints({"server": {"port": "many"}}) == [".server.port: 'many' is not integer"]
    assert fits.complaints({"channels": {"phone": {"type": "ntfy"}}}) != [], "a topic is needed"


def test_the_defaults_in_the_schema_are_what_the_file_would_say(schema: dict[str, Any]) -> None:
    defaults = {
        section: {
            key: each["default"]
            for key, each in schema["$defs"][reference["$ref"].removeprefix("#/$defs/")]["properties"].items()
            if each.get("default") is not None
        }
        for section, reference in schema["properties"].items()
        if "$ref" in reference and "default" not in reference  # a section, not a word out of a list
    }
    assert defaults["decide"]["repeat_after"] == "1d" and defaults["enrich"]["deadline"] == "5s"
    assert Settings.model_validate(defaults) == Settings()


def test_the_schema_is_complete_in_itself(schema: dict[str, Any]) -> None:
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(schema)))
    assert references == {f"#/$defs/{name}" for name in schema["$defs"]}
    sections = [schema["properties"], *(each.get("properties", {}) for each in schema["$defs"].values())]
    keys = [(name, each) for section in sections for name, each in section.items()]
    silent = [name for name, each in keys if not {"description", "$ref"} & each.keys() and name != "type"]
    assert len(keys) > 100 and silent == [], "an editor shows the descriptions"


def test_the_example_is_the_committed_file() -> None:
    assert invoke("schema", "--example").out == (REPOSITORY / "config" / "tocsin.yaml").read_text()


# -- names that somebody else chose ----


async def test_hostile_names_never_reach_the_terminal_raw(tmp_path: Path) -> None:
    hostile = dict.fromkeys(("summary", "description"), HOSTILE)
    payload = json.dumps(
        webhook(
            novel(f"a{HOSTILE}.evil.example", workload=f"w{HOSTILE}", pod=f"p{HOSTILE}", cluster=HOSTILE),
            novel("y.example", namespace=HOSTILE, workload="", pod=HOSTILE),
            alert(f"Other{HOSTILE}", pod=HOSTILE, annotations=hostile, **{f"label{HOSTILE}": HOSTILE}),
            alert("EgressVolumeAnomaly", namespace=HOSTILE, workload=HOSTILE, annotations=hostile),
            receiver=HOSTILE,
            externalURL=f"http://alertmanager.example/{HOSTILE}",
        )
    ).encode()

    async def rendered(*options: str) -> str:
        done = await run("render", *options, "-", stdin=payload)
        assert (done.code, done.err) == (0, "")
        assert not unseen(done.out) and "\\x1b" in done.out
        return done.out

    kinds = [("--channel", kind) for kind in FIELDS]
    shown = [await rendered(*kind, *how) for kind in kinds for how in ((), ("--json",))]
    assert all("red" in each for each in shown)
    for each in (message for text in shown[1::2] for message in json.loads(text)):
        assert "<script" not in each["body"].get("title", "")
        assert each["channel"] != "pushover" or "<script" not in each["body"]["message"]
        assert not unseen("".join(value for value in each["body"].values() if isinstance(value, str)))
    bad = await run("render", "-", stdin=body({**novel(), "labels": {HOSTILE: 1}}))
    assert bad.code == 1 and not unseen(bad.err) and len(bad.err.splitlines()) == 1


# -- store ----


async def test_a_store_is_backed_up_beside_the_service_and_restored_when_it_is_stopped(tmp_path: Path) -> None:
    copy = tmp_path / "backup.db"
    async with tocsin(tmp_path, {}) as process:
        path = str(tmp_path / "tocsin.yaml")
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{process.url}/webhook", data=body(novel())) as answer,
        ):
            assert answer.status == 200
        done = await command("store", "backup", str(copy), "--config", path, directory=tmp_path)
        assert (done.code, done.err) == (0, "") and f"copied to {copy}" in done.out
        refused = await command("store", "restore", str(copy), "--config", path, directory=tmp_path)
        assert refused.code == 1 and "in use by another tocsin" in refused.err and len(refused.err.splitlines()) == 1
    restored = await command("store", "restore", str(copy), "--config", path, directory=tmp_path)
    assert (restored.code, restored.err) == (0, "") and "what was there is" in restored.out
    listed = await command("incidents", "--config", path, directory=tmp_path)
    assert listed.code == 0


async def test_two_services_do_not_share_a_store(tmp_path: Path) -> None:
    async with tocsin(tmp_path, {}):
        second = await command("serve", "--config", str(tmp_path / "tocsin.yaml"), directory=tmp_path)
        assert second.code == 1 and "in use by another tocsin" in second.err
        checked = await command("check", "--config", str(tmp_path / "tocsin.yaml"), directory=tmp_path)
        assert "is in use by a running tocsin" in checked.out
