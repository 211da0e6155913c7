"""Webhooks accepted durably, against handlers that keep nothing, in interleaved rounds of one run.

How many a second, how soon the answer comes at half that load, and how soon the last of a hundred large ones that come
at once is answered. Whatever tocsin still has to explain is waited for between two measurements.
"""

import asyncio
import statistics
import tempfile
from collections import defaultdict
from contextlib import ExitStack

import contestants
import load

ROUNDS = 7
SIZES = {1: 1500, 10: 800, 100: 150, 1000: 20}
"""Alerts a webhook: webhooks a round."""
BURST_ROUNDS = 5
NAMES = ("bare", "parse_only", "tocsin")


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, ExitStack() as undo:
        ports = {name: undo.enter_context(contestants.handler(f"{name}.py"))[1] for name in NAMES[:2]}
        ports["tocsin"] = undo.enter_context(contestants.tocsin(directory))[1]
        for alerts, number in SIZES.items():
            speeds, late = defaultdict(list), defaultdict(list)
            for round_ in range(ROUNDS):
                for name, port in ports.items():
                    made = contestants.webhooks(number, alerts, f"r{round_}")
                    speeds[name].append(asyncio.run(load.accepted_a_second(port, made)))
                    contestants.settled(directory)
                half = speeds["tocsin"][-1] / 2  # the same load for all
                for name, port in ports.items():
                    made = contestants.webhooks(number, alerts, f"h{round_}")
                    late[name].append(load.percentile(asyncio.run(load.answer_times(port, made, half)), 0.99))
                    contestants.settled(directory)
            tell(f"{alerts:>4} alerts a webhook, webhooks a second", speeds, 1.0)
            tell(f"{alerts:>4} alerts a webhook, p99 of an answer at half of tocsin's load, ms", late, 1000.0)
        last = defaultdict(list)
        for round_ in range(BURST_ROUNDS):
            for name, port in ports.items():
                made = contestants.webhooks(100, 100, f"b{round_}")
                last[name].append(asyncio.run(load.last_answer(port, made)))
                contestants.settled(directory)
        tell("100 webhooks of 100 alerts at once, last answer, ms", last, 1000.0)


def tell(what: str, found: dict[str, list[float]], unit: float) -> None:
    """One line: the medians, and tocsin's ratio to the others with its spread over the rounds."""
    medians = ", ".join(f"{name} {statistics.median(found[name]) * unit:.3g}" for name in NAMES)
    ratios = []
    for name in NAMES[:2]:
        each = [mine / theirs for mine, theirs in zip(found["tocsin"], found[name], strict=True)]
        ratios.append(f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f}) of {name}")
    print(f"{what}: {'; '.join(ratios)}. {medians}", flush=True)


if __name__ == "__main__":
    main()
