"""`tocsin serve` as a process of its own: what it promises while it starts, runs, stops and is killed."""

import asyncio
import base64
import json
import re
import signal
import socket
import sqlite3
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from certificates import self_signed
from fake_ntfy import FakeNtfy, error
from fake_pushover import FakePushover
from kit import Process, alert, body, command, novel, tocsin, until
from scripted import HANG, ScriptedServer, Seen
from tocsin import __version__
from tocsin.web.settings import ServerSettings
from tocsin.web.webhook import Webhook

NOBODY = "http://127.0.0.1:9"
HUSH = "hush-4f1b"


def phone(ntfy: FakeNtfy, **sections: Any) -> dict[str, Any]:
    """A configuration with one channel."""
    return {"channels": {"phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress"}}, **sections}


async def post(process: Process, data: bytes, **more: Any) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{process.url}/webhook", data=data, **more) as response,
    ):
        return response.status, await response.json()


async def get(process: Process, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{process.url}{path}") as response:
        return response.status, await response.text()


async def sample(process: Process, name: str) -> float | None:
    """One sample of /metrics."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", (await get(process, "/metrics"))[1], re.MULTILINE)
    return float(found[1]) if found else None


async def eventually(question: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await question():
            await asyncio.sleep(0.02)


@pytest.fixture
async def ntfy() -> AsyncIterator[FakeNtfy]:
    async with FakeNtfy() as server:
        yield server


class Silent(ScriptedServer):
    """Accepts every connection and never answers."""

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        await self._released.wait()
        return web.Response(status=503)


@asynccontextmanager
async def silent() -> AsyncIterator[Silent]:
    async with Silent() as server:
        yield server


# -- one message, whatever happens to the process ----


async def test_the_first_webhook_is_a_message_and_the_second_is_silence(tmp_path: Path, ntfy: FakeNtfy) -> None:
    async with tocsin(tmp_path, phone(ntfy)) as process:
        status, answer = await post(process, body(novel()))
        assert (status, answer["alerts"]) == (200, 1)
        await until(lambda: ntfy.received)
        assert (await post(process, body(novel())))[0] == 200
        skipped = 'tocsin_decisions_total{action="skip",reason="duplicate"}'
        await eventually(lambda: is_one(process, skipped))
        assert await process.stop() == 0
    assert [message["title"] for message in ntfy.received] == [
        "Unexplained: media/recyclarr -> files.paste-drop[.]example"
    ]
    assert [entry["event"] for entry in process.log[-2:]] == ["stopping", "stopped"]


async def is_one(process: Process, name: str) -> bool:
    return await sample(process, name) == 1.0


async def test_what_was_accepted_when_the_signal_came_is_delivered_by_this_or_the_next_process(
    tmp_path: Path, ntfy: FakeNtfy
) -> None:
    accepted: list[str] = []

    async def send(process: Process, number: int) -> None:
        try:
            status, _ = await post(process, body(novel(f"n{number}.example", workload=f"w{number}")))
        except aiohttp.ClientError:
            return  # Alertmanager would try again
        assert status in (200, 503)
        if status == 200:
            accepted.append(f"media/w{number}")

    async with tocsin(tmp_path, phone(ntfy)) as process, asyncio.TaskGroup() as tasks:
        for number in range(60):
            tasks.create_task(send(process, number))
        await until(lambda: len(accepted) >= 20)
        running = process.process.returncode is None
        assert await process.stop(signal.SIGTERM) == 0 and running
    async with tocsin(tmp_path, phone(ntfy)):
        await until(lambda: len(ntfy.received) >= len(accepted))
    told = Counter(re.search(r"media/w\d+", message["title"])[0] for message in ntfy.received)
    assert told == Counter(accepted), "each once, and nothing that was not accepted"


async def test_what_was_accepted_before_a_kill_is_delivered_once_by_the_next_process(
    tmp_path: Path, ntfy: FakeNtfy
) -> None:
    async with silent() as prometheus:
        slow = phone(ntfy, prometheus={"url": prometheus.url}, enrich={"deadline": "1s"})
        async with tocsin(tmp_path, slow) as process:
            assert (await post(process, body(novel())))[0] == 200
            await until(lambda: prometheus.requests)  # it is under way, and claimed
            await process.stop(signal.SIGKILL)
            assert ntfy.received == []
        async with tocsin(tmp_path, slow) as process:
            await until(lambda: ntfy.received)
            assert (await post(process, body(novel())))[0] == 200
            assert await process.stop() == 0, "what is under way is finished first"
    assert len(ntfy.received) == 1


async def test_while_it_stops_webhooks_are_503_and_a_message_that_hangs_is_left_to_the_next_process(
    tmp_path: Path, ntfy: FakeNtfy
) -> None:
    ntfy.script(HANG)
    configuration = phone(ntfy, server={"drain": "1s"})
    async with tocsin(tmp_path, configuration) as process:
        await post(process, body(novel()))
        await until(lambda: ntfy.requests)
        process.process.send_signal(signal.SIGTERM)
        await until(lambda: process.log[-1]["event"] == "stopping")
        assert await post(process, body(novel("b.example"))) == (503, {"error": "shutting down"})
        assert (await get(process, "/healthz"))[0] == 200
        assert await process.stop() == 0
        assert [entry["worker"] for entry in process.log if entry["event"] == "drain_cut_short"] == ["phone"]
    assert ntfy.received == []
    async with tocsin(tmp_path, configuration):
        await until(lambda: ntfy.received)
    assert [message["title"].split(" -> ")[1] for message in ntfy.received] == ["files.paste-drop[.]example"]


# -- nothing that it asks holds it up ----

WORKLOAD = novel()
POD = novel(workload="", pod="recyclarr-29788325-vfgx7")
"""Its owner has to be asked for first."""


@pytest.mark.parametrize(
    ("how", "asked"), [("closed ports", WORKLOAD), ("closed ports", POD), ("servers that never answer", POD)]
)
async def test_a_webhook_becomes_a_message_in_time_with_everything_unreachable(
    tmp_path: Path, ntfy: FakeNtfy, how: str, asked: dict[str, Any]
) -> None:
    deadline = 2.0
    async with silent() as prometheus, silent() as github:
        if how == "closed ports":
            sections = {
                "prometheus": {"url": NOBODY},
                "gitops": {"git": {"url": f"{NOBODY}/home.git", "data_directory": str(tmp_path / "git")}},
            }
        else:
            sections = {
                "prometheus": {"url": prometheus.url, "timeout": 60},
                "gitops": {"github": {"repository": "ada/home", "base_url": github.url, "request_timeout": 60}},
            }
        settings = phone(ntfy, enrich={"deadline": f"{deadline:g}s"}, server={"drain": "2s"}, **sections)
        async with tocsin(tmp_path, settings) as process:
            await until(lambda: "story_loaded" in [entry["event"] for entry in process.log])
            began = asyncio.get_running_loop().time()
            assert (await post(process, body(asked)))[0] == 200
            await until(lambda: ntfy.received)
            took = asyncio.get_running_loop().time() - began
            assert took <= deadline + 1.0
            await process.stop(signal.SIGKILL)
    (message,) = ntfy.received
    gaps = [line for line in message["message"].splitlines() if line.startswith("Not known: ")]
    source = "git" if how == "closed ports" else "GitHub"
    assert [gap for gap in gaps if gap.startswith("Not known: Prometheus") and "neighbours" in gap]
    assert [gap for gap in gaps if re.match(rf"Not known: {source}\b", gap) and "policy and its history" in gap]
    assert message["title"].startswith("Unexplained: media/recyclarr -> ")


# -- who may post, and what is never shown ----


async def test_bearer_and_secrets_that_are_never_shown(tmp_path: Path) -> None:
    for name in ("webhook", "ntfy", "token", "user", "prometheus"):
        (tmp_path / name).write_text(f"{HUSH}-{name}\n")
    async with FakeNtfy(token="another") as ntfy, FakePushover() as pushover:
        settings = {
            "log_level": "debug",
            "server": {"bearer_file": str(tmp_path / "webhook")},
            "prometheus": {"url": NOBODY, "token_file": str(tmp_path / "prometheus")},
            "gitops": {"git": {"url": f"{NOBODY}/home.git", "data_directory": str(tmp_path), "token": f"{HUSH}-git"}},
            "channels": {
                "phone": {"type": "ntfy", "url": ntfy.url, "topic": "egress", "token_file": str(tmp_path / "ntfy")},
                "second": {"type": "pushover", "url": pushover.url}
                | {f"{name}_file": str(tmp_path / name) for name in ("token", "user")},
            },
        }
        async with tocsin(tmp_path, settings) as process:
            answers = [await post(process, body(novel()))]
            for scheme, credentials in (("Bearer", "wrong"), ("Bearer", ""), ("Basic", f"{HUSH}-webhook")):
                answers.append(await post(process, body(novel()), headers={"Authorization": f"{scheme} {credentials}"}))
            assert answers == [(401, {"error": "missing or wrong credentials"})] * 4
            right = {"Authorization": f"Bearer {HUSH}-webhook"}
            status, answer = await post(process, b"{}", headers=right)
            assert status == 400
            answers.append((status, answer))
            assert (await post(process, body(novel()), headers=right))[0] == 200
            await until(lambda: [entry["event"] for entry in process.log].count("delivery_dead") >= 2)
            shown = [await get(process, path) for path in ("/metrics", "/readyz", "/healthz", "/nothing")]
        assert HUSH not in json.dumps([answers, shown, process.log])
        assert 'tocsin_webhooks_total{code="401"} 4.0' in shown[0][1]
        assert f"{HUSH}-token" in pushover.requests[0].body.decode(), "the secret was in use"


async def test_basic_authentication(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{HUSH}:pass\n")
    settings = {"server": {"username": "alertmanager", "password_file": str(tmp_path / "password")}}
    async with tocsin(tmp_path, settings) as process:
        for password, expected in ((f"{HUSH}:pass", 200), (HUSH, 401), ("", 401)):
            pair = base64.b64encode(f"alertmanager:{password}".encode()).decode()
            status, _ = await post(process, body(novel()), headers={"Authorization": f"Basic {pair}"})
            assert status == expected
        async with aiohttp.ClientSession() as session, session.post(f"{process.url}/webhook") as response:
            assert (response.status, response.headers["WWW-Authenticate"]) == (401, 'Basic realm="tocsin"')
    assert HUSH not in json.dumps(process.log)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a certificate for 127.0.0.1, its key, and the key behind a passphrase."""
    directory = tmp_path_factory.mktemp("tls")
    _, key = self_signed(directory, "127.0.0.1")
    locked = serialization.load_pem_private_key(key.read_bytes(), None).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"passphrase"),
    )
    (directory / "locked.pem").write_bytes(locked)
    return directory


async def test_tls_and_nothing_else(tmp_path: Path, certificate: Path) -> None:
    server = {"tls_cert": str(certificate / "cert.pem"), "tls_key": str(certificate / "key.pem")}
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    async with tocsin(tmp_path, {"server": server}) as process:
        assert process.url.startswith("https://")
        assert (await post(process, body(novel()), ssl=trusting))[0] == 200
        plain = Process(process.url.replace("https", "http"), process.process, process.log)
        with pytest.raises(aiohttp.ClientError):
            await post(plain, body(novel()))
        assert (await post(process, body(novel()), ssl=trusting))[0] == 200
    assert "not json" not in [entry["event"] for entry in process.log]


# -- what it says of itself ----


async def test_health_readiness_and_metrics(tmp_path: Path, ntfy: FakeNtfy) -> None:
    ntfy.script(error(40301))
    async with tocsin(tmp_path, phone(ntfy)) as process:
        assert (await post(process, body(novel())))[0] == 200
        assert (await post(process, b"{}"))[0] == 400
        assert await get(process, "/healthz") == (200, '{"alive": true}')
        assert await get(process, "/readyz") == (200, '{"ready": true, "wrong": []}')
        await until(lambda: "delivery_dead" in [entry["event"] for entry in process.log])
        for name, value in {
            'tocsin_webhooks_total{code="200"}': 1,
            'tocsin_webhooks_total{code="400"}': 1,
            "tocsin_alerts_accepted_total": 1,
            'tocsin_decisions_total{action="notify",reason="first"}': 1,
            'tocsin_notices_total{kind="novel",verdict="unexplained"}': 1,
            'tocsin_gaps_total{source="Prometheus"}': 0,  # not configured is not failed
            'tocsin_deliveries_total{channel="phone",outcome="dead"}': 1,
            'tocsin_outbox_messages{channel="phone",state="dead"}': 1,
            "tocsin_oldest_event_age_seconds": 0,
            "tocsin_event_failures_total": 0,
            "tocsin_webhooks_in_flight": 0,
            'tocsin_stage_seconds_count{stage="deliver"}': 1,
        }.items():
            assert (name, await sample(process, name)) == (name, value)
        async with aiohttp.ClientSession() as session, session.get(f"{process.url}/metrics") as response:
            assert response.headers["Content-Type"].startswith("text/plain; version=")


async def test_what_rules_ask_for_is_there_before_anything_happened(tmp_path: Path, ntfy: FakeNtfy) -> None:
    async with tocsin(tmp_path, phone(ntfy)) as process:
        for name, value in {
            f'tocsin_build_info{{version="{__version__}"}}': 1,
            "tocsin_store_up": 1,
            "tocsin_oldest_event_age_seconds": 0,
            "tocsin_last_webhook_timestamp_seconds": 0,
            "tocsin_events_dead_total": 0,
            'tocsin_oldest_message_age_seconds{channel="phone"}': 0,
            'tocsin_outbox_messages{channel="phone",state="dead"}': 0,
            'tocsin_deliveries_total{channel="phone",outcome="dead"}': 0,
            'tocsin_gaps_total{source="Prometheus"}': 0,
            'tocsin_gaps_total{source="GitOps repository"}': 0,
            'tocsin_webhooks_total{code="503"}': 0,
            'tocsin_gitops_refreshed_timestamp_seconds{source="git"}': None,
        }.items():
            assert (name, await sample(process, name)) == (name, value)
        assert (await post(process, body(novel())))[0] == 200
        assert (await sample(process, "tocsin_last_webhook_timestamp_seconds") or 0) > 0


async def test_readiness_goes_and_comes_back_with_the_store(tmp_path: Path) -> None:
    async with tocsin(tmp_path, {}) as process:
        assert (await get(process, "/readyz"))[0] == 200
        other = sqlite3.connect(tmp_path / "tocsin.db", isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")  # nobody else can write now
            status, answer = await get(process, "/readyz")
            assert (status, json.loads(answer)) == (
                503,
                {"ready": False, "wrong": ["the store did not answer within 2 s"]},
            )
            assert (await get(process, "/healthz"))[0] == 200, "a restart would not mend it"
        finally:
            other.execute("ROLLBACK")
            other.close()
        await eventually(lambda: is_ready(process))
        assert (await post(process, body(novel())))[0] == 200


async def is_ready(process: Process) -> bool:
    return (await get(process, "/readyz"))[0] == 200


async def test_what_is_no_webhook_to_the_end_is_refused_and_logged_on_a_line(tmp_path: Path) -> None:
    head = b"POST /webhook HTTP/1.1\r\nHost: a\r\n"
    async with tocsin(tmp_path, {}) as process:
        port = int(process.url.rpartition(":")[2])
        for sent in (
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
            b"GET /\x1b[31mred HTTP/1.1\r\nHost: a\r\n\r\n",
            head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            head + b"Content-Length: 5000\r\n\r\n{",
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 10)
            writer.close()
        status, answer = await post(process, b"abc", headers={"Content-Encoding": "gzip"})
        assert status == 400 and "not encoded" in answer["error"]
        assert (await post(process, body(novel())))[0] == 200
        await eventually(lambda: is_zero(process, "tocsin_webhooks_in_flight"))
    refused = [entry["error"] for entry in process.log if entry["event"] == "webhook_refused"]
    assert [reason.split(" ")[1] for reason in refused] == ["connection", "body"]
    assert "not json" not in [entry["event"] for entry in process.log]


async def test_a_body_that_does_not_arrive_gives_its_place_back(
    monkeypatch: pytest.MonkeyPatch, aiohttp_server: Any
) -> None:
    async def receive(*_: object) -> Any:
        raise AssertionError("there was nothing to receive")

    monkeypatch.setattr("tocsin.web.webhook.READ_WITHIN", 0.01)
    webhook = Webhook(ServerSettings(), receive)
    application = web.Application()
    application.router.add_post("/webhook", webhook.post)
    server = await aiohttp_server(application)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(b"POST /webhook HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n{")
    assert b" 503 " in await asyncio.wait_for(reader.readline(), 10)
    assert webhook.in_flight == 0
    writer.close()


async def is_zero(process: Process, name: str) -> bool:
    return await sample(process, name) == 0.0


# -- configuration from the environment ----


async def test_the_environment_sets_keys_and_wins_over_the_file(
    tmp_path: Path, ntfy: FakeNtfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN__CHANNELS__PHONE__TOPIC", "from-the-environment")
    monkeypatch.setenv("TOCSIN__SERVER__BEARER", HUSH)
    monkeypatch.setenv("TOCSIN__IDENTIFY__CLUSTER", "lab")
    async with tocsin(tmp_path, phone(ntfy, identify={"cluster": "from the file"})) as process:
        assert (await post(process, body(novel())))[0] == 401
        assert (await post(process, body(novel()), headers={"Authorization": f"Bearer {HUSH}"}))[0] == 200
        await until(lambda: ntfy.received)
    assert ntfy.received[0]["topic"] == "from-the-environment"
    assert "Cluster lab." in ntfy.received[0]["message"]


# -- a start that cannot succeed ----


async def failing(directory: Path, settings: Mapping[str, Any], **environment: str) -> tuple[int, list[str]]:
    """Exit code, and what a person reads: the lines that are no log."""
    path = directory / "failing.yaml"
    server = {"host": "127.0.0.1", "port": 0, **settings.get("server", {})}
    path.write_text(yaml.safe_dump({"store": {"path": str(directory / "tocsin.db")}, **settings, "server": server}))
    serving = command("serve", "--config", str(path), directory=directory, **environment)
    done = await asyncio.wait_for(serving, 20)
    assert done.out == "" and "Traceback" not in done.err
    return done.code, [line for line in done.err.splitlines() if not line.startswith("{")]


async def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, (sentence,) = await failing(tmp_path, {"server": {"port": port}})
    assert code == 1
    assert sentence.startswith(f"tocsin: cannot listen on 127.0.0.1:{port}: ") and "address already in use" in sentence


async def test_an_address_that_is_not_ours_is_one_sentence(tmp_path: Path) -> None:
    code, (sentence,) = await failing(tmp_path, {"server": {"host": "nowhere.invalid"}})
    assert code == 1 and sentence.startswith("tocsin: cannot listen on nowhere.invalid:0: ")


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        ("missing.pem", "key.pem", "No such file"),
        ("key.pem", "key.pem", "PEM"),
        ("cert.pem", "cert.pem", "PEM"),
        ("cert.pem", "locked.pem", ""),
    ],
)
async def test_a_certificate_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, certificate: Path, cert: str, key: str, said: str
) -> None:
    files = {"tls_cert": str(certificate / cert), "tls_key": str(certificate / key)}
    code, (sentence,) = await failing(tmp_path, {"server": files})
    assert code == 1 and said in sentence
    assert sentence.startswith(f"tocsin: cannot use {files['tls_cert']} and {files['tls_key']}: ")


async def test_a_store_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"no database, but as long as one " * 64)
    (tmp_path / "directory").mkdir()
    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("CREATE TABLE schema_version (version INTEGER NOT NULL)")
    newer.execute("INSERT INTO schema_version VALUES (999)")
    newer.commit()
    newer.close()
    cases = {"file": "not a database", "directory": "unable to open", "file/tocsin.db": "file"}
    for path, said in cases.items():
        code, (sentence,) = await failing(tmp_path, {"store": {"path": str(tmp_path / path)}})
        assert code == 1 and sentence.startswith(f"tocsin: cannot open the store {tmp_path / path}: ")
        assert said.lower() in sentence.lower()
    code, (sentence,) = await failing(tmp_path, {"store": {"path": str(tmp_path / "newer.db")}})
    assert code == 1 and sentence.endswith("run the newer tocsin")


async def test_every_mistake_in_the_configuration_is_a_line_and_exit_code_2(tmp_path: Path) -> None:
    settings = {"server": {"prot": 1}, "decide": {"repeat_after": "soon"}}
    code, told = await failing(tmp_path, settings, TOCSIN__SERVR__PORT="1")
    assert code == 2 and len(told) == 3
    assert told[0].startswith('TOCSIN__SERVR__PORT: unknown key; did you mean "server"?')
    assert all(line.startswith(f"{tmp_path}/failing.yaml:") for line in told[1:])
    assert 'server.prot: unknown key; did you mean "port"?' in "\n".join(told)
    code, told = await failing(tmp_path, {}, TOCSIN__SERVER__PORT="many")
    assert code == 2 and told[0].startswith("TOCSIN__SERVER__PORT: ") and len(told) == 1


async def test_a_mistake_that_shows_once_it_listens_is_exit_code_2_as_well(tmp_path: Path) -> None:
    (tmp_path / "apps.yaml").write_text("apps:\n  - match: media/recyclarr\n    postur: bounded\n")
    code, told = await failing(tmp_path, {"apps_file": str(tmp_path / "apps.yaml")})
    assert code == 2
    assert f'{tmp_path}/apps.yaml:3: apps.0.postur: unknown key; did you mean "posture"?' in told
    code, told = await failing(tmp_path, {"decide": {"repeat_aftr": "1d"}})
    assert code == 2 and len(told) == 1 and 'did you mean "repeat_after"' in told[0]


async def test_an_unlisted_alert_is_forwarded_without_a_channel_to_standard_output(tmp_path: Path) -> None:
    crash = alert("KubePodCrashLooping", namespace="media", pod="sonarr-0", annotations={"summary": "It crashes."})
    async with tocsin(tmp_path, {}) as process:
        assert (await post(process, body(crash)))[0] == 200
        await until(lambda: "sent" in [entry["event"] for entry in process.log])
    assert [entry["channel"] for entry in process.log if entry["event"] == "sent"] == ["console"]
