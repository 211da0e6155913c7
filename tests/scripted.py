"""A small HTTP server on a free port of 127.0.0.1 whose next answers a test can script."""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web

HTML = "<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Answer:
    """One scripted answer. `status` 0 resets the connection, `hang` never answers."""

    status: int = 0
    body: str = ""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False


RESET = Answer()
HANG = Answer(hang=True)


def page(status: int) -> Answer:
    """What a proxy answers in the provider's place."""
    return Answer(status, HTML, "text/html")


@dataclass(frozen=True)
class Seen:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class ScriptedServer:
    """Answers by script first, then as the provider documents (`answer`, which a fake overrides)."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Seen] = []
        self.most_at_once = 0
        self._script: deque[Answer] = deque()
        self._at_once = 0
        self._port = port
        self._released = asyncio.Event()

    @property
    def url(self) -> str:
        """Root of the server, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    def script(self, *answers: Answer) -> None:
        """Queues answers; each is given once, in order, before the usual behaviour returns."""
        self._script.extend(answers)

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        """What the provider does."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=2**20)
        application.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._released.set()
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            seen = Seen(request.method, request.path, dict(request.headers), await request.read())
            self.requests.append(seen)
            if not self._script:
                return await self.answer(seen, request)
            return await self._scripted(self._script.popleft(), request)
        finally:
            self._at_once -= 1

    async def _scripted(self, answer: Answer, request: web.Request) -> web.StreamResponse:
        if answer.hang:
            await self._released.wait()
        if not answer.status:
            if request.transport:
                request.transport.abort()
            return web.Response()
        return web.Response(
            status=answer.status, text=answer.body, content_type=answer.content_type, headers=answer.headers
        )
