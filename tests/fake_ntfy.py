"""An ntfy server as far as publishing goes: the documented limits, error codes and traps.

`async with FakeNtfy() as ntfy:` gives `ntfy.url` and `ntfy.received`; `python tests/fake_ntfy.py [PORT]` runs it alone
and prints each message as a phone would show it.
"""

import asyncio
import base64
import json
import re
import secrets
import sys
import time
from typing import Any

from aiohttp import web

from scripted import Answer, ScriptedServer, Seen

MESSAGE_BYTES = 4096
JSON_BYTES = 2 * MESSAGE_BYTES
TITLE_BYTES = 1024
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
_ERRORS = {
    40007: "invalid priority parameter",
    40009: "invalid request: topic invalid",
    40014: "invalid request: attachments not allowed",
    40018: "invalid request: actions invalid",
    40024: "invalid request: request body must be valid JSON",
    40057: "invalid request: title too long",
    40101: "unauthorized",
    40301: "forbidden",
    40401: "page not found",
    41303: "JSON body too large",
    42901: "limit reached: too many requests",
    42905: "limit reached: daily bandwidth reached",
    42908: "limit reached: daily message quota reached",
    42909: "limit reached: too many auth failures",
    50001: "internal server error",
    50701: "cannot store message: out of disk",
}


def error(code: int) -> Answer:
    """The server's answer for one of its error codes."""
    body = {"code": code, "http": code // 100, "error": _ERRORS[code], "link": "https://ntfy.sh/docs/publish/"}
    return Answer(code // 100, json.dumps(body) + "\n")


class FakeNtfy(ScriptedServer):
    """`received` holds the messages it accepted, as ntfy understood them. With `token` or `user` others get 401."""

    def __init__(self, port: int = 0, *, token: str = "", user: tuple[str, str] | None = None) -> None:
        super().__init__(port)
        self.received: list[dict[str, Any]] = []
        self._allowed = {f"Bearer {token}"} if token else set()
        if user:
            self._allowed.add("Basic " + base64.b64encode(":".join(user).encode()).decode())

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        """Authenticates every request, then publishes."""
        if self._allowed and seen.headers.get("Authorization") not in self._allowed:
            return await self._scripted(error(40101), request)
        if seen.path == "/v1/health":
            return web.json_response({"healthy": True})
        if seen.method not in ("POST", "PUT"):
            return await self._scripted(error(40401), request)
        code, message = _as_text(seen) if seen.path != "/" else _as_json(seen.body)
        if code:
            return await self._scripted(error(code), request)
        accepted = {"id": secrets.token_hex(6), "time": int(time.time()), "event": "message", **message}
        self.received.append(accepted)
        return web.json_response(accepted)


def _as_text(seen: Seen) -> tuple[int, dict[str, Any]]:
    """Anything posted to a topic is the message itself, JSON included."""
    return 0, {"topic": seen.path.strip("/"), "message": seen.body.decode(errors="replace")}


def _as_json(body: bytes) -> tuple[int, dict[str, Any]]:
    if len(body) > JSON_BYTES:
        return 41303, {}
    try:
        fields = json.loads(body)
    except ValueError:
        return 40024, {}
    if not isinstance(fields, dict):
        return 40024, {}
    message = fields | {"message": fields.get("message") or "triggered", "priority": fields.get("priority", 3)}
    if fields.get("tags"):
        message["tags"] = ",".join(fields["tags"]).split(",")
    return _refusal(fields), message


def _refusal(fields: dict[str, Any]) -> int:
    actions = fields.get("actions", [])
    checks = (
        (40009, not _TOPIC.fullmatch(str(fields.get("topic", "")))),
        (40014, len(str(fields.get("message", "")).encode()) > MESSAGE_BYTES),
        (40057, len(str(fields.get("title", "")).encode()) > TITLE_BYTES),
        (40007, fields.get("priority", 3) not in range(1, 6)),
        (40018, len(actions) > 3 or not all(action.get("label") and action.get("url") for action in actions)),
    )
    return next((code for code, wrong in checks if wrong), 0)


async def _main(port: int) -> None:
    async with FakeNtfy(port) as ntfy:
        print(f"ntfy on {ntfy.url}", flush=True)
        shown = 0
        while True:
            for message in ntfy.received[shown:]:
                print(f"\n[{message['priority']}] {message.get('title', '')}\n{message['message']}", flush=True)
                shown += 1
            await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else 8090))
