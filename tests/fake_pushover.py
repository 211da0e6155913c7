"""Pushover's messages API as documented: limits in characters, `status` in the body, quota headers."""

import html
import json
import re
import secrets
from urllib.parse import parse_qsl

from aiohttp import web

from scripted import Answer, ScriptedServer, Seen

TOKEN = "azGDORePK8gMaC0QOYAMyEEuzJnyUi"
USER = "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
_LIMITS = {"message": 1024, "title": 250, "url": 512, "url_title": 100}
_ALLOWED_TAG = re.compile(r"</?(?:b|i|u)>|<br>|<font color=\"[#\w]+\">|</font>|<a href=\"[^\"<>]*\">|</a>")


def refusal(status: int, *errors: str, headers: dict[str, str] | None = None) -> Answer:
    """The API's answer to a request it does not accept."""
    body = {"status": 0, "errors": list(errors), "request": secrets.token_hex(16)}
    return Answer(status, json.dumps(body), headers=headers or {})


def quota_used_up(resets_at: int | None = None) -> Answer:
    """The month's quota is gone; the documented header says until when."""
    headers = {"X-Limit-App-Limit": "10000", "X-Limit-App-Remaining": "0"}
    headers |= {"X-Limit-App-Reset": str(resets_at)} if resets_at else {}
    return refusal(429, "application has exceeded its monthly message limit", headers=headers)


class FakePushover(ScriptedServer):
    """`received` holds the form fields of the messages it accepted."""

    def __init__(self, port: int = 0, *, token: str = TOKEN, user: str = USER) -> None:
        super().__init__(port)
        self.received: list[dict[str, str]] = []
        self._token = token
        self._user = user

    async def answer(self, seen: Seen, request: web.Request) -> web.StreamResponse:
        """Checks token and user first, then the fields."""
        form = dict(parse_qsl(seen.body.decode(), keep_blank_values=True))
        if seen.method != "POST" or seen.path not in ("/1/messages.json", "/1/users/validate.json"):
            return await self._scripted(refusal(404, "not found"), request)
        errors = [
            *(["application token is invalid"] if form.get("token") != self._token else []),
            *(
                ["user identifier is not a valid user, group, or subscribed user key"]
                * (form.get("user") != self._user)
            ),
            *(_refused(form) if seen.path == "/1/messages.json" else []),
        ]
        if errors:
            return await self._scripted(refusal(400, *errors), request)
        accepted = {"status": 1, "request": secrets.token_hex(16)}
        if seen.path == "/1/users/validate.json":
            return web.json_response(accepted | {"devices": ["phone", "tablet"], "group": 0})
        self.received.append(form)
        return web.json_response(accepted, headers={"X-Limit-App-Remaining": str(9999 - len(self.received))})


def _refused(form: dict[str, str]) -> list[str]:
    errors = [f"{name} is too long" for name, limit in _LIMITS.items() if len(form.get(name, "")) > limit]
    if not form.get("message"):
        errors.append("message cannot be blank")
    if form.get("priority", "0") not in ("-2", "-1", "0", "1"):
        errors.append("priority is invalid, or retry and expire are missing")
    if form.get("html") == "1" and "<" in _ALLOWED_TAG.sub("", form.get("message", "")):
        errors.append(f"html is not supported: {html.escape(form['message'][:40])}")
    return errors
