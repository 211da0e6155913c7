"""The door to Prometheus, against a small server that answers, fails, hangs and dawdles."""

import asyncio
import json
import math
import socket
import threading
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from pydantic import ValidationError

from scripted import HANG, RESET, Answer, ScriptedServer, Seen, page
from tocsin.enrich import prometheus_http
from tocsin.enrich.prometheus import MAX_SERIES, Prometheus, PrometheusSettings, Sample, Series
from tocsin.enrich.promql import Regex
from tocsin.errors import LookupFailed

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
NOT_PROMETHEUS = "the answer is not Prometheus's; is prometheus.url right?"
NOT_JSON = "the answer is not JSON; is prometheus.url right?"


class FakePrometheus(ScriptedServer):
    """Answers every question with `result`, and remembers what was asked."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.result: Any = []
        self.asked: list[dict[str, str]] = []
        self.in_url: list[str] = []
        self.peers: set[Any] = set()

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        self.asked.append({name: values[0] for name, values in parse_qs(seen.body.decode()).items()})
        self.in_url.append(request.query_string)
        self.peers.add(request.transport.get_extra_info("peername") if request.transport else None)
        if request.path.endswith("/buildinfo"):
            return web.json_response({"status": "success", "data": {"version": "3.5.0"}})
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": self.result}})


@pytest.fixture
async def server() -> AsyncIterator[FakePrometheus]:
    async with FakePrometheus() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    ends_at = time.monotonic() + 10
    while any(thread.name == "prometheus" for thread in threading.enumerate()):
        assert time.monotonic() < ends_at, "a thread is still there"
        time.sleep(0.01)


@asynccontextmanager
async def asking(url: str, seconds: float = 10, **settings: Any) -> AsyncIterator[Prometheus]:
    door = Prometheus(PrometheusSettings(url=url, timeout=timedelta(seconds=seconds), **settings))
    try:
        yield door
    finally:
        door.close()


async def failure(url: str, seconds: float = 10, **settings: Any) -> str:
    async with asking(url, seconds, **settings) as prometheus:
        with pytest.raises(LookupFailed) as failed:
            await prometheus.query("up")
    return str(failed.value)


def told(status: int, text: str) -> Answer:
    return Answer(status, json.dumps({"status": "error", "errorType": "execution", "error": text}))


def sample(value: str, **labels: str) -> dict[str, Any]:
    return {"metric": labels, "value": [1795348800.0, value]}


async def test_a_vector(server: FakePrometheus) -> None:
    server.result = [sample("1.5", job="a"), sample("-2e3", job='hostile "\\\n', query="\N{GRINNING FACE}")]
    async with asking(server.url) as prometheus:
        assert await prometheus.query("up") == [
            Sample({"job": "a"}, 1.5),
            Sample({"job": 'hostile "\\\n', "query": "\N{GRINNING FACE}"}, -2000.0),
        ]


async def test_a_matrix(server: FakePrometheus) -> None:
    server.result = [{"metric": {"job": "a"}, "values": [[1795348800, "1"], [1795348860.5, "2"]]}]
    async with asking(server.url) as prometheus:
        found = await prometheus.query_range("up", NOON - timedelta(days=1), NOON, timedelta(minutes=5))
    times = datetime.fromtimestamp(1795348800, UTC), datetime.fromtimestamp(1795348860.5, UTC)
    assert found == [Series({"job": "a"}, ((times[0], 1.0), (times[1], 2.0)))]
    assert server.requests[0].path == "/api/v1/query_range"
    assert server.asked[0] == {
        "query": "up",
        "start": str(int(NOON.timestamp()) - 86_400),
        "end": str(int(NOON.timestamp())),
        "step": "5m",
        "timeout": "10000ms",
        "limit": str(MAX_SERIES),
    }


async def test_the_question_travels_in_the_body(server: FakePrometheus) -> None:
    expression = "up{query=" + '"\\u00e9&time=1+%\N{SNOWMAN}"}' + " or up" * 50_000
    async with asking(f"{server.url}/prefix/", seconds=5.5) as prometheus:
        await prometheus.query(expression, NOON)
        await prometheus.query("up")
    assert server.in_url == ["", ""]
    assert {seen.method for seen in server.requests} == {"POST"}
    assert {seen.path for seen in server.requests} == {"/prefix/api/v1/query"}
    common = {"timeout": "5500ms", "limit": str(MAX_SERIES)}
    assert server.asked[0] == {"query": expression, "time": f"{NOON.timestamp():.3f}", **common}
    assert server.asked[1] == {"query": "up", **common}


async def test_questions_one_after_the_other_share_a_connection(server: FakePrometheus) -> None:
    async with asking(server.url) as prometheus:
        for _ in range(5):
            await prometheus.query("up")
    assert len(server.peers) == 1


async def test_nothing_is_started_before_the_first_question() -> None:
    async with asking("http://127.0.0.1:1"):
        assert not any(thread.name == "prometheus" for thread in threading.enumerate())
    with pytest.raises(ValueError, match="not set"):
        Prometheus(PrometheusSettings())


FAILURES = [
    (told(422, "too many samples"), "HTTP 422: too many samples"),
    (told(400, 'parse error: unexpected "\x1b[31m\n\u202e"'), 'HTTP 400: parse error: unexpected "\\x1b[31m \\x202e"'),
    (told(503, "query timed out in expression evaluation"), "HTTP 503: query timed out in expression evaluation"),
    (told(422, "x" * 500), f"HTTP 422: {'x' * 159}…"),
    (Answer(422, '{"error": {"code": 7}}'), "HTTP 422: {'code': 7}"),
    (Answer(422, '["error"]'), f"HTTP 422: {HTTPStatus(422).phrase}"),
    (Answer(422, '{"status": "error"}'), f"HTTP 422: {HTTPStatus(422).phrase}"),
    (Answer(422, "422"), f"HTTP 422: {HTTPStatus(422).phrase}"),
    (Answer(429, "", headers={"Retry-After": "3600"}), "HTTP 429: Too Many Requests"),
    (Answer(503, "", headers={"Retry-After": "3600"}), "HTTP 503: Service Unavailable"),
    (page(500), "HTTP 500: Internal Server Error"),
    (page(502), "HTTP 502: Bad Gateway"),
    (Answer(401, "Unauthorized", "text/plain"), "HTTP 401: Unauthorized"),
    (Answer(204), "HTTP 204: No Content"),
    (Answer(201, '{"data": {"result": []}}'), "HTTP 201: Created"),
    (Answer(302, headers={"Location": "https://sso.example.com/login"}), "HTTP 302: redirects to hxxps[://]sso.example[.]com/login"),
    (Answer(307, headers={"Location": "/other"}), "HTTP 307: redirects to /other"),
    (Answer(304, ""), "HTTP 304: Not Modified"),
    (page(200), NOT_JSON),
    (Answer(200, ""), NOT_JSON),
    (Answer(200, '{"data": {"result": ['), NOT_JSON),
    (RESET, "connection closed"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "reason"), FAILURES)
async def test_a_failure_is_a_short_reason_and_is_not_tried_again(
    server: FakePrometheus, answer: Answer, reason: str
) -> None:
    server.script(answer)
    started = time.monotonic()
    assert await failure(server.url) == reason
    assert time.monotonic() - started < 5
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        *("null", "7", '"text"', "[]", "{}", '{"data": null}', '{"data": []}', '{"data": {}}'),
        *('{"data": {"result": null}}', '{"data": {"result": 7}}', '{"data": {"result": ["x"]}}'),
        '{"data": {"resultType": "scalar", "result": [1795348800.0, "7"]}}',
        '{"data": {"resultType": "string", "result": [1795348800.0, "text"]}}',
        '{"data": {"result": [{"metric": {"a": "b"}}]}}',
        '{"data": {"result": [{"value": [1, "7"]}]}}',
        '{"data": {"result": [{"metric": {}, "value": [1]}]}}',
        '{"data": {"result": [{"metric": {}, "value": null}]}}',
        '{"data": {"result": [{"metric": {}, "value": [1, "seven"]}]}}',
        '{"data": {"result": [{"metric": {}, "value": [1, {}]}]}}',
        '{"data": {"result": [{"metric": null, "value": [1, "7"]}]}}',
        '{"data": {"result": [{"metric": "text", "value": [1, "7"]}]}}',
        '{"data": {"result": [{"metric": [1], "value": [1, "7"]}]}}',
    ],
)
async def test_json_of_another_shape(server: FakePrometheus, answer: str) -> None:
    server.script(Answer(200, answer))
    assert await failure(server.url) == NOT_PROMETHEUS


@pytest.mark.parametrize("values", ["null", "[7]", '[["noon", "7"]]', '[[1, "seven"]]', "[[1]]", '[[1e300, "7"]]'])
async def test_a_matrix_of_another_shape(server: FakePrometheus, values: str) -> None:
    server.script(Answer(200, f'{{"data": {{"result": [{{"metric": {{}}, "values": {values}}}]}}}}'))
    async with asking(server.url) as prometheus:
        with pytest.raises(LookupFailed) as failed:
            await prometheus.query_range("up", NOON, NOON, timedelta(minutes=1))
    assert str(failed.value) == NOT_PROMETHEUS


async def test_figures_that_are_none_are_left_out(server: FakePrometheus) -> None:
    bad = ("NaN", "+Inf", "-Inf")
    async with asking(server.url) as prometheus:
        server.result = [sample(value, job=value) for value in (*bad, "7")]
        assert await prometheus.query("up") == [Sample({"job": "7"}, 7.0)]
        server.result = [{"metric": {}, "values": [[number, value] for number, value in enumerate((*bad, "7"))]}]
        (series,) = await prometheus.query_range("up", NOON, NOON, timedelta(minutes=1))
    assert [value for _, value in series.points] == [7.0]
    assert all(math.isfinite(value) for _, value in series.points)


async def test_an_answer_that_was_cut_is_a_failure(server: FakePrometheus) -> None:
    async with asking(server.url) as prometheus:
        for count in (MAX_SERIES - 1, MAX_SERIES + 1):  # the latter from one that knows no limit
            server.result = [sample("1", pod=str(number)) for number in range(count)]
            assert len(await prometheus.query("up")) == count
        server.result = [sample("1", pod=str(number)) for number in range(MAX_SERIES)]
        with pytest.raises(LookupFailed, match=r"^answered with 10000 series or more$"):
            await prometheus.query("up")


async def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        assert await failure(url) == "connection refused"


async def test_a_name_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert await failure("http://prometheus.monitoring:9090") == "its name cannot be resolved"


async def test_a_server_without_tls(server: FakePrometheus) -> None:
    reason = await failure(server.url.replace("http:", "https:"))
    assert reason.startswith("TLS: ")
    assert len(reason) < 100


async def test_a_server_that_takes_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus_http, "_CONNECT_SECONDS", 0.2)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]  # fills the queue of connections nobody takes
        try:
            for each in waiting:
                each.setblocking(False)
                each.connect_ex(address)
            assert await failure(f"http://127.0.0.1:{address[1]}") == "cannot be reached within 0.2 s"
        finally:
            for each in waiting:
                each.close()


async def test_a_server_that_hangs(server: FakePrometheus) -> None:
    server.script(HANG)
    started = time.monotonic()
    assert await failure(server.url, 0.3) == "timed out after 0.3 s"
    assert time.monotonic() - started < 5
    assert len(server.requests) == 1


async def test_a_server_that_hangs_does_not_block_later_questions(server: FakePrometheus) -> None:
    server.script(*[HANG] * 6)
    async with asking(server.url, 0.5, threads=2) as prometheus:
        found = await asyncio.gather(*(prometheus.query("up") for _ in range(6)), return_exceptions=True)
        assert [str(each) for each in found] == ["timed out after 0.5 s"] * 6
        server._script.clear()
        server.result = [sample("1")]
        assert len(await prometheus.query("up")) == 1


@asynccontextmanager
async def replying(reply: Callable[[asyncio.StreamWriter], Any]) -> AsyncIterator[str]:
    """A server below HTTP: reads a request, then does what `reply` says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
            await reply(writer)  # closing before all is read would reset the connection
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("head", [b"Content-Length: 1000\r\n", b"Transfer-Encoding: chunked\r\n", b""])
async def test_an_answer_that_trickles(head: bytes) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        for _ in range(1000):
            writer.write(b"1\r\n \r\n" if b"chunked" in head else b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    started = time.monotonic()
    async with replying(trickle) as url:
        assert await failure(url, 0.4) == "timed out after 0.4 s"
        while any(thread.name == "prometheus" for thread in threading.enumerate()):
            assert time.monotonic() - started < 5, "the thread goes on reading"
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("head", [b"Content-Length: 1000\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_an_answer_that_breaks_off(head: bytes) -> None:
    async def break_off(writer: asyncio.StreamWriter) -> None:
        start = b'{"data": {"result": []'
        writer.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n")
        writer.write(b"%x\r\n%s\r\n" % (len(start), start) if b"chunked" in head else start)

    async with replying(break_off) as url:
        assert await failure(url) == "connection closed"


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (b"", "connection closed"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "connection closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}", NOT_PROMETHEUS),
    ],
)
async def test_something_that_does_not_speak_http(greeting: bytes, reason: str) -> None:
    async def greet(writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)

    async with replying(greet) as url:
        assert await failure(url) == reason


async def test_an_answer_larger_than_the_limit(server: FakePrometheus) -> None:
    server.script(Answer(200, " " * (prometheus_http.MAX_ANSWER + 1)))
    assert await failure(server.url) == "the answer is larger than 16 MiB"
    server.script(Answer(200, '{"data": {"result": []}}'.ljust(prometheus_http.MAX_ANSWER)))
    async with asking(server.url) as prometheus:
        assert await prometheus.query("up") == []


async def test_an_answer_without_end_is_left() -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b" " * 2**20)
            await writer.drain()
            sent += 1

    async with replying(flood) as url:
        assert await failure(url) == "the answer is larger than 16 MiB"
    assert sent < 64


async def test_a_server_that_came_back_is_asked_again() -> None:
    async with FakePrometheus() as first, asking(first.url) as prometheus:
        assert await prometheus.query("up") == []
        port = int(first.url.rsplit(":", 1)[1])
        await first._runner.cleanup()
        with pytest.raises(LookupFailed, match="connection refused"):
            await prometheus.query("up")
        async with FakePrometheus(port):
            assert await prometheus.query("up") == []


async def test_a_bearer_token_and_more_headers(server: FakePrometheus, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("sekret\n")
    settings = {"token_file": tmp_path / "token", "headers": {"X-Scope-OrgID": "home", "User-Agent": "x/1"}}
    async with asking(server.url, **settings) as prometheus:
        await prometheus.query("up")
        await prometheus.check()
    for seen in server.requests:
        assert seen.headers["Authorization"] == "Bearer sekret"
        assert (seen.headers["X-Scope-OrgID"], seen.headers["User-Agent"]) == ("home", "x/1")


async def test_a_password_of_any_letters(server: FakePrometheus) -> None:
    async with asking(server.url, user="jürgen", password="pä\N{SNOWMAN}:ß") as prometheus:
        await prometheus.query("up")
        await prometheus.check()
    for seen in server.requests:
        scheme, _, credentials = seen.headers["Authorization"].partition(" ")
        assert (scheme, b64decode(credentials).decode()) == ("Basic", "jürgen:pä\N{SNOWMAN}:ß")


async def test_without_credentials_none_are_sent(
    server: FakePrometheus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login root password sekret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with asking(server.url) as prometheus:
        await prometheus.query("up")
    headers = server.requests[0].headers
    assert "Authorization" not in headers
    assert (headers["User-Agent"], headers["Accept-Encoding"]) == ("tocsin", "identity")


async def test_proxies_of_the_environment_are_ignored(server: FakePrometheus, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with asking(server.url) as prometheus:
        assert await prometheus.query("up") == []


async def test_every_series_is_one_of_the_configured_cluster() -> None:
    async with asking("http://127.0.0.1:1", extra_labels={"cluster": 'ho"me', "tenant": "a"}) as prometheus:
        assert prometheus.selector("up") == 'up{cluster="ho\\"me",tenant="a"}'
        assert prometheus.selector("up", pod=Regex("a|b")) == 'up{cluster="ho\\"me",tenant="a",pod=~"a|b"}'


async def test_check_tells_what_is_reached(server: FakePrometheus) -> None:
    async with asking(server.url) as prometheus:
        assert await prometheus.check() == f"Prometheus 3.5.0 at {server.url.removeprefix('http://')}"


async def test_check_fails_where_questions_are_refused(server: FakePrometheus) -> None:
    server.script(Answer(200, '{"data": {"version": "3.5.0"}}'), told(403, "no queries for you"))
    async with asking(server.url) as prometheus:
        with pytest.raises(LookupFailed, match=r"^HTTP 403: no queries for you$"):
            await prometheus.check()


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(404, "404 page not found", "text/plain"), "Prometheus (unknown version) at"),
        (Answer(200, '{"data": {"version": "1\\n2\\u001b"}}'), "Prometheus 1 2\\x1b at"),
        (told(401, "no"), "HTTP 401: no"),
        (Answer(200, '{"data": {}}'), "Prometheus (unknown version) at"),
        (Answer(200, "[]"), "Prometheus (unknown version) at"),
    ],
)
async def test_check_of_another_version(server: FakePrometheus, answer: Answer, told: str) -> None:
    server.script(answer)
    async with asking(server.url) as prometheus:
        try:
            assert (await prometheus.check()).startswith(told)
        except LookupFailed as failed:
            assert str(failed) == told
    assert server.requests[0].method == "GET"


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"url": "prometheus:9090"}, "must look like"),
        ({"url": "ftp://prometheus"}, "must look like"),
        ({"url": "http://"}, "must look like"),
        ({"url": "http://me:sekret@prometheus"}, "must look like"),
        ({"url": "http://prometheus/?tenant=a"}, "must look like"),
        ({"extra_labels": {'a="b"': "c"}}, "is not a label name"),
        ({"token": "a", "user": "b", "password": "c"}, "keep one"),
        ({"user": "b"}, "belong together"),
        ({"password": "c"}, "belong together"),
        ({"threads": 0}, "threads"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        PrometheusSettings(**settings)
