"""The one door to PyGithub: one thread, one client, one call at a time, each with an end.

PyGithub is not thread-safe, throttles and retries by sleeping, and retries POST; so the client is made in a
thread of its own with all of that turned off. A call that overruns is abandoned together with its thread and
client, so that it cannot block or mix up the next one.
"""

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from tocsin.errors import LookupFailed
from tocsin.gitops.settings import GitHubSettings
from tocsin.threads import Threads, TooManyHang

if TYPE_CHECKING:
    from github import Github, GithubException

MAX_ABANDONED: Final = 3
_T = TypeVar("_T")


class GitHubLine:
    """Runs calls on GitHub's client, in the order they are asked for."""

    def __init__(self, settings: GitHubSettings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._threads = Threads("github", 1, MAX_ABANDONED)
        self._of_thread = threading.local()
        self._limited_until: datetime | None = None

    async def call(self, ask: Callable[["Github"], _T]) -> _T:
        """Returns what `ask` returns; raises LookupFailed with the reason, and NotFound for a 404.

        While GitHub's rate limit is used up, nothing is sent.
        """
        async with self._turn:
            self._refuse_while_limited()
            try:
                async with asyncio.timeout(self._settings.request_timeout.total_seconds()):
                    return await self._threads.run(partial(self._answer, ask))
            except TimeoutError as failure:
                raise LookupFailed(f"timed out after {self._settings.request_timeout.total_seconds():g} s") from failure
            except TooManyHang as failure:
                raise LookupFailed("earlier calls still hang") from failure

    def _answer(self, ask: Callable[["Github"], _T]) -> _T:
        """Runs in the thread; everything PyGithub and requests raise becomes LookupFailed here."""
        import requests  # noqa: PLC0415 - heavy, loaded when first used and off the event loop
        from github import GithubException  # noqa: PLC0415

        client: Github | None = getattr(self._of_thread, "client", None)
        if client is None:
            client = self._of_thread.client = _client(self._settings)
        try:
            return ask(client)
        except GithubException as failure:
            raise self._failed(failure) from failure
        except requests.Timeout as failure:
            raise LookupFailed(f"timed out after {self._settings.request_timeout.total_seconds():g} s") from failure
        except requests.RequestException as failure:
            raise LookupFailed("cannot reach GitHub") from failure
        except RuntimeError as failure:  # PyGithub's word for a redirect to another host, which it does not follow
            raise LookupFailed("GitHub sends elsewhere; is gitops.github.base_url right?") from failure
        except (AssertionError, TypeError, KeyError, ValueError) as failure:
            raise LookupFailed("GitHub's answer cannot be read") from failure

    def _refuse_while_limited(self) -> None:
        if self._limited_until is not None and datetime.now(UTC) < self._limited_until:
            raise LookupFailed(f"rate limited until {self._limited_until:%H:%M} UTC")

    def _failed(self, failure: "GithubException") -> LookupFailed:
        said = failure.data.get("message") if isinstance(failure.data, dict) else ""
        until = limited_until(failure.status, failure.headers or {}, datetime.now(UTC), str(said))
        if until is not None:
            self._limited_until = until
            return LookupFailed(f"rate limited until {until:%H:%M} UTC")
        if failure.status == 404:
            return NotFound("not found, or the token may not read it")
        if failure.status in (401, 403):
            return LookupFailed("authentication failed" if failure.status == 401 else "access refused")
        return LookupFailed(f"GitHub answered {failure.status}")

    async def close(self) -> None:
        """Does not wait for a call that hangs."""
        self._threads.close()


class NotFound(LookupFailed):
    """GitHub answered 404."""


def limited_until(status: int, headers: dict[str, str], now: datetime, message: str = "") -> datetime | None:
    """When a rate-limited answer lets us ask again; None for an answer that is not about a limit. Pure.

    GitHub says `retry-after` seconds, or an epoch in `x-ratelimit-reset` with nothing remaining; a limit that says
    neither counts as a minute, as GitHub's documentation asks.
    """
    if status not in (403, 429):
        return None
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset", "")
    if after.isdecimal():
        return now + timedelta(seconds=min(int(after), 86_400))
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
        return min(datetime.fromtimestamp(min(int(reset), 2**32), UTC), now + timedelta(days=1))
    return now + timedelta(minutes=1) if status == 429 or "rate limit" in message.lower() else None


def _client(settings: GitHubSettings) -> "Github":
    from github import Auth, Github  # noqa: PLC0415 - heavy, loaded when first used and off the event loop

    return Github(
        auth=Auth.Token(settings.token.get_secret_value()) if settings.token else None,
        base_url=settings.base_url,
        timeout=max(1, round(settings.request_timeout.total_seconds())),
        user_agent="tocsin",
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
        lazy=True,
    )
