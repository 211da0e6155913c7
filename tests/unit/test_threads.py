"""Blocking calls run side by side; one that hangs costs a place for as long as somebody waits for it, no longer."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tocsin.threads import Threads, TooManyHang

NAME = "tocsin-test-of-threads"


def running() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


async def until(condition: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends_at, "it did not come about in time"
        await asyncio.sleep(0.005)


class Gate:
    """Calls that wait until they are let through, and how many are waiting now."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.inside = 0
        self._lock = threading.Lock()

    def wait(self) -> str:
        with self._lock:
            self.inside += 1
        self.open.wait(60)
        with self._lock:
            self.inside -= 1
        return "through"


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


@pytest.fixture(autouse=True)
async def _all_threads_end() -> AsyncIterator[None]:
    yield
    await until(lambda: not running())


@pytest.fixture
def _closing() -> Iterator[list[Threads]]:
    made: list[Threads] = []
    yield made
    for each in made:
        each.close()


@pytest.fixture
def make(_closing: list[Threads]) -> Callable[..., Threads]:
    def build(size: int = 2, **more: int) -> Threads:
        threads = Threads(NAME, size, **more)
        _closing.append(threads)
        return threads

    return build


async def abandon(threads: Threads, gate: Gate, times: int = 1) -> None:
    """Calls that hang and whose callers gave up."""
    for _ in range(times):
        before = gate.inside
        async with asyncio.TaskGroup() as tasks:
            call = tasks.create_task(threads.run(gate.wait))
            await until(lambda before=before: gate.inside == before + 1)  # type: ignore[misc]
            call.cancel()


async def test_a_call_returns_what_the_function_returns(make: Callable[..., Threads]) -> None:
    threads = make()
    assert running() == 0
    assert await threads.run(lambda: threading.current_thread().name) == NAME
    assert await threads.run(lambda: None) is None
    assert running() == 1


@pytest.mark.parametrize("failure", [ValueError("no"), LookupError(), asyncio.CancelledError("inside")])
async def test_what_a_function_raises_reaches_the_caller(make: Callable[..., Threads], failure: BaseException) -> None:
    def fails() -> None:
        raise failure

    threads = make()
    with pytest.raises(type(failure)):
        await threads.run(fails)
    assert await threads.run(lambda: 7) == 7
    assert running() == 1


async def test_calls_run_side_by_side_up_to_the_size(make: Callable[..., Threads], gate: Gate) -> None:
    threads = make(3)
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(threads.run(gate.wait)) for _ in range(10)]
        await until(lambda: gate.inside == 3)
        await asyncio.sleep(0.05)
        assert (gate.inside, running()) == (3, 3)
        gate.open.set()
    assert [call.result() for call in calls] == ["through"] * 10


async def test_one_after_the_other_needs_one_thread(make: Callable[..., Threads]) -> None:
    threads = make(8)
    seen = {await threads.run(threading.get_ident) for _ in range(20)}
    assert len(seen) == running() == 1


async def test_waiting_calls_are_taken_in_order(make: Callable[..., Threads], gate: Gate) -> None:
    threads, order = make(1), list[int]()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(threads.run(gate.wait))
        for number in range(5):
            tasks.create_task(threads.run(lambda number=number: order.append(number)))  # type: ignore[misc]
        await until(lambda: gate.inside == 1)
        gate.open.set()
    assert order == [0, 1, 2, 3, 4]


async def test_a_call_nobody_waits_for_gives_its_place_away(make: Callable[..., Threads], gate: Gate) -> None:
    threads = make(1)
    await abandon(threads, gate, 3)
    assert await asyncio.wait_for(threads.run(lambda: 7), 10) == 7
    assert gate.inside == 3


async def test_the_call_next_in_line_gets_the_place_of_one_that_is_left(
    make: Callable[..., Threads], gate: Gate
) -> None:
    threads = make(1)
    async with asyncio.TaskGroup() as tasks:
        hangs = tasks.create_task(threads.run(gate.wait))
        await until(lambda: gate.inside == 1)
        waits = tasks.create_task(threads.run(lambda: 7))
        await asyncio.sleep(0.02)
        assert not waits.done()
        hangs.cancel()
        assert await asyncio.wait_for(waits, 10) == 7


async def test_a_call_that_never_began_is_not_run_for_nobody(make: Callable[..., Threads], gate: Gate) -> None:
    threads, ran = make(1), list[int]()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(threads.run(gate.wait))
        await until(lambda: gate.inside == 1)
        left = tasks.create_task(threads.run(lambda: ran.append(1)))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        gate.open.set()
    assert await threads.run(lambda: 7) == 7
    assert ran == []


async def test_so_many_hang_that_no_further_thread_is_started(make: Callable[..., Threads], gate: Gate) -> None:
    threads = make(2, hanging=3)
    await abandon(threads, gate, 3)
    with pytest.raises(TooManyHang, match=r"^3 earlier calls still hang$"):
        await threads.run(lambda: 7)
    assert running() == 3
    gate.open.set()
    await until(lambda: not running())
    assert await threads.run(lambda: 7) == 7


async def test_a_call_that_waits_is_run_when_one_that_hung_ends(make: Callable[..., Threads], gate: Gate) -> None:
    threads = make(1, hanging=1)
    async with asyncio.TaskGroup() as tasks:
        hangs = tasks.create_task(threads.run(gate.wait))
        await until(lambda: gate.inside == 1)
        waits = tasks.create_task(threads.run(lambda: 7))
        await asyncio.sleep(0)
        hangs.cancel()
        await asyncio.sleep(0.02)
        assert not waits.done()
        gate.open.set()
        assert await asyncio.wait_for(waits, 10) == 7


async def test_idle_threads_serve_while_others_hang(make: Callable[..., Threads], gate: Gate) -> None:
    threads = make(2, hanging=1)
    async with asyncio.TaskGroup() as tasks:
        hangs = tasks.create_task(threads.run(gate.wait))
        await until(lambda: gate.inside == 1)
        assert await threads.run(lambda: 1) == 1
        hangs.cancel()
    assert await threads.run(lambda: 2) == 2


async def test_a_place_is_not_lost_when_no_thread_can_be_started(
    make: Callable[..., Threads], monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    threads = make(1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(RuntimeError, match="can't start"):
            await threads.run(lambda: 7)
    assert await asyncio.wait_for(threads.run(lambda: 7), 10) == 7


async def test_closing_ends_idle_threads_and_waits_for_nothing(make: Callable[..., Threads], gate: Gate) -> None:
    threads = make(2)
    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(threads.run(gate.wait))
        await until(lambda: gate.inside == 1)
        assert await threads.run(lambda: 7) == 7
        assert running() == 2
        started = time.monotonic()
        threads.close()
        assert time.monotonic() - started < 5
        await until(lambda: running() == 1)
        gate.open.set()
        assert await call == "through"
    await until(lambda: running() == 0)


async def test_a_call_that_ends_after_its_loop_hurts_nobody(gate: Gate) -> None:
    threads = Threads(NAME, 1)

    async def briefly() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await threads.run(gate.wait)

    await asyncio.to_thread(asyncio.run, briefly())
    gate.open.set()
    await until(lambda: not gate.inside)
    assert await threads.run(lambda: 7) == 7
    threads.close()


async def test_many_calls_and_many_that_give_up(make: Callable[..., Threads]) -> None:
    threads, answers = make(4, hanging=400), list[int]()

    async def ask(number: int) -> None:
        try:
            async with asyncio.timeout(0.001 if number % 3 == 0 else 30):
                answers.append(await threads.run(lambda: time.sleep(0.003) or number))
        except TimeoutError:
            pass

    async with asyncio.TaskGroup() as tasks:
        for number in range(300):
            tasks.create_task(ask(number))
    assert {number for number in range(300) if number % 3} <= set(answers)
    assert len(set(answers)) == len(answers)
    await until(lambda: running() <= 4)
    assert await threads.run(lambda: 7) == 7


def test_nothing_is_waited_for_at_exit() -> None:
    script = """if True:
        import asyncio, threading
        from tocsin.threads import Threads

        async def main():
            threads = Threads("prometheus", 2)
            assert await threads.run(lambda: 7) == 7
            try:
                async with asyncio.timeout(0.1):
                    await threads.run(threading.Event().wait)
            except TimeoutError:
                print("left behind", flush=True)

        asyncio.run(main())
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "left behind\n", "")
