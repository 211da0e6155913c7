"""Few daemon threads for a blocking library; a call that hangs is left behind and never waited for again.

`concurrent.futures` cannot do this: its threads are joined at exit, and one that hangs keeps its place for ever.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class TooManyHang(Exception):
    """So many earlier calls never came back that no further thread is started."""


@dataclass(slots=True, eq=False)
class _Call:
    function: Callable[[], Any]
    loop: asyncio.AbstractEventLoop
    answer: asyncio.Future[Any]
    started: bool = False
    left: bool = False


class Threads:
    """Runs calls side by side in at most `size` threads, which start when needed.

    A call whose caller stops waiting leaves its place to the next; its thread ends with the call. At most `hanging`
    such threads are tolerated at a time.
    """

    def __init__(self, name: str, size: int, hanging: int = 16) -> None:
        self._name = name
        self._size = size
        self._hanging = hanging
        self._waiting: deque[_Call] = deque()
        self._changed = threading.Condition()
        self._working = self._idle = self._left = 0
        self._closed = False

    async def run(self, function: Callable[[], T]) -> T:
        """Returns what `function` returns or raises; when cancelled, `function` is abandoned where it is.

        Raises TooManyHang when no thread can take the call.
        """
        loop = asyncio.get_running_loop()
        call = _Call(function, loop, loop.create_future())
        self._put(call)
        try:
            answer: T = await call.answer
        finally:
            self._leave(call)
        return answer

    def close(self) -> None:
        """Lets idle threads end; calls under way are not waited for."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _put(self, call: _Call) -> None:
        with self._changed:
            if self._idle <= len(self._waiting) and self._working < self._size:
                if self._left >= self._hanging:
                    raise TooManyHang(f"{self._left} earlier calls still hang")
                self._start()
            self._waiting.append(call)
            self._changed.notify()

    def _leave(self, call: _Call) -> None:
        """Forgets a call nobody waits for: one that waits is removed, one under way gives its place away."""
        with self._changed:
            if call.left:
                return
            call.left = True
            if not call.started:
                self._waiting.remove(call)
                return
            self._working -= 1
            self._left += 1
            self._replace()

    def _replace(self) -> None:
        """Starts threads for the calls that wait, as many as there are places."""
        lacking = len(self._waiting) - self._idle
        for _ in range(min(lacking, self._size - self._working, self._hanging - self._left)):
            self._start()

    def _start(self) -> None:
        threading.Thread(target=self._work, name=self._name, daemon=True).start()
        self._working += 1
        self._idle += 1

    def _work(self) -> None:
        while True:
            call = self._take()
            if call is None:
                return
            result: Any = None
            failure: BaseException | None = None
            try:
                result = call.function()
            except BaseException as raised:  # noqa: BLE001 - handed to the caller
                failure = raised
            with self._changed:
                if call.left:
                    self._left -= 1
                    self._replace()
                    return
                call.left = True
                self._idle += 1  # before its caller goes on and has the next question
            with suppress(RuntimeError):  # the loop was closed meanwhile
                call.loop.call_soon_threadsafe(settle, call.answer, result, failure)

    def _take(self) -> _Call | None:
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            self._idle -= 1
            if not self._waiting:
                self._working -= 1
                return None
            call = self._waiting.popleft()
            call.started = True
            return call


def settle(answer: asyncio.Future[Any], result: Any, failure: BaseException | None) -> None:
    """Gives a future its outcome, on its loop; whoever waited may have gone."""
    if answer.done():
        return
    if failure is None:
        answer.set_result(result)
    else:
        answer.set_exception(failure)
