"""A thousand kills of the real process under load, half at random, half at named steps: what was lost or told twice.

`python benchmarks/kills.py [KILLS] [SEED]`; two runs share the kills. Writes results/kills.md when given --write.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
import kills


async def both(number: int, seed: int) -> list[kills.Tally]:
    with tempfile.TemporaryDirectory() as directory:
        places = [Path(directory) / name for name in ("one", "two")]
        for place in places:
            place.mkdir()
        shares = (number - number // 2, number // 2)
        jobs = (
            kills.run(place, share, seed + at) for at, (place, share) in enumerate(zip(places, shares, strict=True))
        )
        return list(await asyncio.gather(*jobs))


def table(tallies: list[kills.Tally], seconds: float) -> str:
    steps = list(dict.fromkeys(step for tally in tallies for step in tally.kills))
    total = sum(sum(tally.kills.values()) for tally in tallies)
    lines = [
        f"{total} kills in {seconds / 60:.0f} min, {sum(tally.under_load for tally in tallies)} of them with webhooks "
        f"or messages under way; {sum(len(tally.accepted) for tally in tallies)} alerts accepted, "
        f"{sum(len(tally.lost) for tally in tallies)} lost, {sum(tally.repeated for tally in tallies)} told twice.",
        "",
        "| killed | times | told twice |",
        "|---|---|---|",
    ]
    for step in steps:
        times, twice = sum(tally.kills[step] for tally in tallies), sum(tally.twice[step] for tally in tallies)
        lines.append(f"| {step} | {times} | {twice} |")
    return "\n".join(lines)


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--write"]
    number, seed = int(words[0]) if words else 1000, int(words[1]) if len(words) > 1 else 1
    began = time.monotonic()
    found = table(asyncio.run(both(number, seed)), time.monotonic() - began)
    print(found)
    if "--write" in sys.argv:
        (HERE / "results" / "kills.md").write_text(f"# Kills\n\nSeed {seed}. {found}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
