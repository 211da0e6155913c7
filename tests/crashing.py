"""Runs tocsin and kills it at one named step: `python crashing.py STEP CALL serve --config FILE`.

SIGKILL comes at the CALL-th call of the step, so nothing is flushed, closed or said.
"""

import functools
import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

STEPS: dict[str, tuple[str, str, bool]] = {
    "before a webhook is inserted": ("tocsin.store.events", "insert", False),
    "a webhook inserted, not committed": ("tocsin.store.events", "insert", True),
    "a webhook committed, not answered": ("tocsin.store.inbox", "Inbox._hand_over", False),
    "webhooks claimed, not committed": ("tocsin.store.events", "claim", True),
    "explained, nothing written": ("tocsin.pipeline", "store", False),
    "an incident written, no message yet": ("tocsin.store.incidents", "record", True),
    "a message written, not committed": ("tocsin.store.deliveries", "insert", True),
    "outcome written, not committed": ("tocsin.pipeline", "store", True),
    "a message claimed, not committed": ("tocsin.store.deliveries", "claim", True),
    "before a message is sent": ("tocsin.deliver.ntfy", "NtfyChannel.send", False),
    "a message confirmed, not settled": ("tocsin.deliver.ntfy", "NtfyChannel.send", True),
    "a message settled, not committed": ("tocsin.store.deliveries", "settle_sent", True),
}
"""By what has happened: where the function is, its name, and whether the process dies after it or before."""


def arm(step: str, call: int) -> None:
    """Wraps the function of a step so that its `call`-th call is the last thing that happens."""
    module, path, after = STEPS[step]
    owner: Any = importlib.import_module(module)
    *outer, name = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    function: Callable[..., Any] = getattr(owner, name)
    left = [call]

    def count() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    @functools.wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        if not after:
            count()
        result = function(*args, **kwargs)
        if after and (result or name != "claim"):  # an empty claim is no step
            count()
        return result

    @functools.wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        if not after:
            count()
        result = await function(*args, **kwargs)
        if after:
            count()
        return result

    is_async = importlib.import_module("inspect").iscoroutinefunction(function)
    setattr(owner, name, awaited if is_async else plain)


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.argv = ["tocsin", *sys.argv[3:]]
    from tocsin.cli import main

    main()
