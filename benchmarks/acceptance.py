"""Webhooks a second accepted durably, against a bare aiohttp handler, in interleaved rounds of one run."""

import asyncio
import statistics
import sys
import tempfile
from pathlib import Path

import load

sys.path.insert(0, str(load.HERE.parent / "tests"))
import kit

ROUNDS = 7
SIZES = {1: 1500, 10: 800, 100: 150}
"""Alerts a webhook: webhooks a round."""


def payloads(number: int, alerts: int, round_: int) -> list[bytes]:
    """Distinct webhooks of ten apps, so that nothing is answered from having been seen."""
    made = []
    for at in range(number):
        each = [kit.novel(f"r{round_}-{at}-{n}.example", workload=f"app{at % 10}") for n in range(alerts)]
        made.append(load.request("/webhook", kit.body(*each)))
    return made


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "tocsin.yaml"
        path.write_text(
            f"server: {{host: 127.0.0.1, port: 0}}\nstore: {{path: {directory}/tocsin.db}}\nroutes:\n"
            "  bounded: {unexplained: {priority: low, channels: []}}\n"
            "  unknown: {unexplained: {priority: low, channels: []}}\n"
        )
        with (
            load.running([str(load.HERE / "bare.py")], r"http://127.0.0.1:(\d+)") as (_, bare, _),
            load.running(["-m", "tocsin", "serve", "--config", str(path)], r'"address": "127.0.0.1:(\d+)"') as (
                _,
                ours,
                _,
            ),
        ):
            for alerts, number in SIZES.items():
                ratios, speeds = [], []
                for round_ in range(ROUNDS):
                    made = payloads(number, alerts, round_)
                    theirs = asyncio.run(load.accepted_a_second(bare, made))
                    mine = asyncio.run(load.accepted_a_second(ours, made))
                    ratios.append(mine / theirs)
                    speeds.append(mine)
                print(
                    f"{alerts:>4} alerts a webhook: {statistics.median(ratios):.2f} of bare aiohttp"
                    f" (min {min(ratios):.2f}, max {max(ratios):.2f}), {statistics.median(speeds):.0f} webhooks/s"
                )


main()
