"""Sends 120,000 bad and odd requests to a running tocsin and counts what came back: a table on standard output.

python benchmarks/bad_input.py [--posts 100000] [--whole 20000] [--seed 20261125]
"""

import argparse
import asyncio
import os
import platform
import re
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from kit import tocsin, until
from odd_inputs import Count, send, states, told

SLICES = 10


def memory(pid: int) -> tuple[int, int]:
    """Resident now and at most, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    now, most = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) // 1024 for name in ("VmRSS", "VmHWM"))
    return now, most


async def main(posts: int, whole: int, seed: int) -> int:
    total, resident, began = Count(), [], time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        store = Path(directory) / "tocsin.db"
        async with tocsin(Path(directory), {"mode": "shadow"}) as process:
            await until(lambda: "story_loaded" in [entry["event"] for entry in process.log])
            for number in range(SLICES):
                count = await send(process, seed + number, posts // SLICES, whole // SLICES)
                total.posted += count.posted
                total.requested += count.requested
                total.closed += count.closed
                total.bad += count.bad
                resident.append(memory(process.process.pid))
                print(f"{number + 1}/{SLICES} {dict(total.posted)} {resident[-1]}", file=sys.stderr, flush=True)
            took = time.monotonic() - began
            await until(lambda: not set(states(store)) & {"due", "claimed"}, within=900, every=0.5)
            last = await send(process, seed + SLICES, 8, 0)
            await until(lambda: not set(states(store)) & {"due", "claimed"}, within=60, every=0.5)
            settled, (dead, with_a_message) = states(store), told(store)
            alive = process.process.returncode is None
            code = await process.stop()
        failed = Counter(entry["error"] for entry in process.log if entry["event"] == "event_failed")
    accepted = total.posted[200]
    print(
        f"Made by `benchmarks/bad_input.py --posts {posts} --whole {whole} --seed {seed}` on "
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.system()}, Python "
        f"{platform.python_version()}, in {took:.0f} s.\n\n"
        "| sent | number | 200 | 400 | 404 | 405 | 417 | 5xx | no answer |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
        f"{_row('bodies posted as a webhook', posts, total.posted, 0)}\n"
        f"{_row('whole requests, most of them incomplete or none at all', whole, total.requested, total.closed)}\n\n"
        "| afterwards | |\n|---|---|\n"
        f"| process | {'alive' if alive else 'gone'}, still answering {dict(last.posted)}, then ended with {code} |\n"
        f"| webhooks accepted, of the bodies | {accepted} |\n"
        f"| webhooks in the store | {', '.join(f'{number} {state}' for state, number in sorted(settled.items()))} |\n"
        f"| given up, and told so | {dead}, {with_a_message} |\n"
        f"| memory after each tenth | {', '.join(str(now) for now, _ in resident)} MiB; at most {resident[-1][1]} |"
    )
    for each in total.bad[:5]:
        print(repr(each), file=sys.stderr)
    print(failed.most_common(5), file=sys.stderr)
    return 0 if alive and not total.bad and dead == with_a_message and not code else 1


def _row(name: str, number: int, statuses: Counter[int], closed: int) -> str:
    known = [statuses[status] for status in (200, 400, 404, 405, 417)]
    more = sum(count for status, count in statuses.items() if status >= 500)
    return f"| {name} | {number} | {' | '.join(map(str, known))} | {more} | {closed} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--whole", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=20261125)
    arguments = parser.parse_args()
    sys.exit(asyncio.run(main(arguments.posts, arguments.whole, arguments.seed)))
