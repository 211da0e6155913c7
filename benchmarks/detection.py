"""Recall and precision of rule packs on simulated weeks, side by side, in the engine of a real Prometheus.

    detection.py [--seeds 1,2,3] [--learning 3] [--scored 7] [--jobs 2] [--only novel|volume]
                 [--output FILE] [--truth DIRECTORY] [NAME=]RULES ...

RULES is a plain rule file or a PrometheusRule; several with `+` between them are one pack. Without any, the shipped
rules and two packs to compare with. An alert counts once from its first firing to its last. `--most` is how many misses
and alerts of one reason are listed. The truth of each week goes to `--truth DIRECTORY` as JSON.
"""

import argparse
import collections
import json
import multiprocessing
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from detection_engine import engine
from detection_replay import Episode, Replay, load
from simulated_story import week
from simulated_week import DAY, HOUR, Attack, Week, Workload

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "kustomize" / "components" / "rules" / "egress-detection.yaml"
ALERTS = ("EgressNovelDestination", "EgressVolumeAnomaly")
WORDS = {ALERTS[0]: "novel destination", ALERTS[1]: "volume"}
NEWS = (
    "app upgrade",
    "asked for once a week, never before in the record",
    "fail-over to a mirror, once",
    "new app, a name it needs after two days",
    "a user shares a large folder, once",
)
"""What had indeed never happened before, and is harmless: no rule can know. Everything else is a false alarm."""


@dataclass
class Score:
    """What one pack made of one week. Times are minutes."""

    pack: str
    seed: int
    found: list[tuple[Attack, float | None, int]]
    """The attack, how long it took, how many alerts told of it."""
    false: list[tuple[str, str, str, float]]
    """Which alert, whose, due to what, when."""
    failures: dict[str, int]
    seconds: float

    def of(self, alert: str) -> list[tuple[Attack, float | None, int]]:
        return [each for each in self.found if each[0].alert == alert]


def run(job: tuple[str, list[Path], int, int, int, tuple[str, ...]]) -> Score:
    """Replays one week under one pack."""
    pack, paths, seed, learning, scored, alerts = job
    began = time.perf_counter()
    truth = week(seed, learning, scored)
    with engine("--query.max-samples=500000000") as prometheus:
        for series, samples in truth.series(names=ALERTS[0] in alerts, sent=ALERTS[1] in alerts):
            prometheus.add(series, samples)
        prometheus.flush()
        replay = Replay(prometheus, load(paths), truth.start, truth.unix(truth.length), truth.down)
        episodes = replay.run(alerts)
    truth.attacks = [attack for attack in truth.attacks if attack.alert in alerts]
    found, false = judge(truth, episodes)
    return Score(pack, seed, found, false, replay.failures, time.perf_counter() - began)


def judge(
    truth: Week, episodes: list[Episode]
) -> tuple[list[tuple[Attack, float | None, int]], list[tuple[str, str, str, float]]]:
    """Which attacks were found, and what else fired after the learning days."""
    taken: dict[int, list[float]] = collections.defaultdict(list)
    false: list[tuple[str, str, str, float]] = []
    for episode in episodes:
        began = (episode.began - truth.start) / 60
        told = [number for number, attack in enumerate(truth.attacks) if _tells_of(episode, began, attack)]
        for number in told:
            taken[number].append(began - truth.attacks[number].start)
        if not told and began >= truth.learning * DAY:
            false.append(_explained(truth, episode, began))
    found: list[tuple[Attack, float | None, int]] = []
    for number, attack in enumerate(truth.attacks):
        found.append((attack, min(taken[number], default=None), len(taken[number])))
    return found, false


def _whose(episode: Episode) -> tuple[str, str]:
    """Namespace and workload, or the pod where a pack knows no workloads."""
    return episode.labels.get("namespace", ""), episode.labels.get("workload") or episode.labels.get("pod", "")


def _same(episode: Episode, workload: Workload) -> bool:
    namespace, name = _whose(episode)
    pods = "workload" not in episode.labels and any(pod.name == name for pod in workload.pods)
    return namespace == workload.namespace and (name == workload.name or pods)


def _named(episode: Episode) -> str:
    return episode.labels.get("destination") or episode.labels.get("query", "").removesuffix(".")


def _tells_of(episode: Episode, began: float, attack: Attack) -> bool:
    if episode.labels["alertname"] != attack.alert or not _same(episode, attack.workload):
        return False
    if not attack.start - 1 <= began <= attack.until:  # samples are a minute apart
        return False
    named = _named(episode)
    suffix = named.removeprefix("*")
    return not attack.names or any(
        name == named or (named[:1] == "*" and name.endswith(suffix)) for name in attack.names
    )


def _explained(truth: Week, episode: Episode, began: float) -> tuple[str, str, str, float]:
    alert, (namespace, name) = episode.labels["alertname"], _whose(episode)
    workload = next((each for each in truth.workloads if _same(episode, each)), None)
    window = episode.labels.get("window", "")
    if alert == ALERTS[0]:
        destination = _named(episode)
        who = f"{namespace}/{name} {destination}"
        if workload is None:
            return alert, who, "no such workload: the rules made up its name", began
        known = [why for asked, why in workload.why.items()
                 if asked == destination or (destination[:1] == "*" and asked.endswith(destination[1:]))]  # fmt: skip
        attacked = any(destination in attack.names for attack in truth.attacks)
        usual = "an injected name, told again late" if attacked else "a name it always asks for"
        return alert, who, known[0] if known else usual, began
    who = f"{namespace}/{name} {window}"
    if workload is None:
        return alert, who, "no such workload: the rules made up its name", began
    within = {"24h": DAY}.get(window, 2 * HOUR)
    for begin, end, why in workload.sent:
        if begin <= began <= end + within:
            return alert, who, why, began
    for attack in truth.attacks:
        if attack.workload is workload and attack.alert == alert and attack.start <= began <= attack.until + DAY:
            return alert, who, f"an injected '{attack.kind}', told again late", began
    return alert, who, f"its usual traffic ({workload.usual})", began


def _span(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes < 2 * HOUR else f"{minutes / HOUR:.1f} h"


def table(scores: list[Score]) -> list[str]:
    lines = [
        "| rules | alert | found | recall | precision | false alarms a week | harmless news a week | alerts an attack "
        "| time to detect, median (longest) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for pack in dict.fromkeys(score.pack for score in scores):
        own = [score for score in scores if score.pack == pack]
        for alert in ALERTS:
            attacks = [each for score in own for each in score.of(alert)]
            if not attacks:
                continue
            times = [took for _, took, _ in attacks if took is not None]
            reasons = [why for score in own for name, _, why, _ in score.false if name == alert]
            news = sum(why in NEWS for why in reasons)
            told = sum(count for _, _, count in attacks)
            precision = f"{len(times) / (len(times) + len(reasons)):.2f}" if times or reasons else "-"
            took = f"{_span(statistics.median(times))} ({_span(max(times))})" if times else "-"
            share = f"{len(times)} of {len(attacks)} | {len(times) / len(attacks):.2f} | {precision}"
            week = f"{(len(reasons) - news) / len(own):.1f} | {news / len(own):.1f}"
            lines.append(f"| {pack} | {WORDS[alert]} | {share} | {week} | {told / max(1, len(times)):.1f} | {took} |")
    return lines


def kinds(scores: list[Score]) -> list[str]:
    """Found of injected, by kind of attack."""
    packs = list(dict.fromkeys(score.pack for score in scores))
    lines = [f"| attack | {' | '.join(packs)} |", "|---" * (len(packs) + 1) + "|"]
    for alert in ALERTS:
        for kind in dict.fromkeys(each[0].kind for score in scores for each in score.of(alert)):
            cells = []
            for pack in packs:
                these = [e for score in scores if score.pack == pack for e in score.of(alert) if e[0].kind == kind]
                times = [took for _, took, _ in these if took is not None]
                median = f" ({_span(statistics.median(times))})" if times else ""
                cells.append(f"{len(times)} of {len(these)}{median}")
            lines.append(f"| {WORDS[alert]}: {kind} | {' | '.join(cells)} |")
    return lines


def _when(minute: float) -> str:
    return f"day {int(minute // DAY) + 1}, {int(minute % DAY // 60):02d}:{int(minute % 60):02d}"


def details(scores: list[Score], most: int = 15) -> list[str]:
    """Misses and false alarms by reason, the first few of each in full; fewer of packs that are only compared."""
    lines: list[str] = []
    for number, pack in enumerate(dict.fromkeys(score.pack for score in scores)):
        own = [score for score in scores if score.pack == pack]
        most = most if number == 0 else min(most, 2)
        lines += ["", f"### {pack}", ""]
        missed: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
        for score in own:
            for attack, took, _ in score.found:
                if took is None:
                    who = f"{attack.workload.namespace}/{attack.workload.name} ({attack.workload.usual})"
                    when = f"week {score.seed}, {_when(attack.start)}"
                    missed[attack.alert, attack.kind].append(f"{who}, {when}: {attack.detail}")
        for (alert, kind), whose in missed.items():
            lines.append(f"* missed {len(whose)}, {WORDS[alert]}, {kind}: {_some(whose, most)}")
        reasons: dict[tuple[str, str], list[str]] = collections.defaultdict(list)
        for score in own:
            for alert, who, why, at in score.false:
                reasons[alert, why].append(f"{who} (week {score.seed}, {_when(at)})")
        for (alert, why), whose in sorted(reasons.items(), key=lambda each: -len(each[1])):
            kind = "harmless" if why in NEWS else "false"
            lines.append(f"* {len(whose)} {kind} {WORDS[alert]} alerts, {why}: {_some(whose, most)}")
        for score in own:
            lines += [
                f"* evaluation failed {count} times, week {score.seed}: {why}" for why, count in score.failures.items()
            ]
    return lines


def _some(texts: list[str], most: int) -> str:
    return "; ".join(texts[:most]) + (f"; and {len(texts) - most} more" if len(texts) > most else "")


def packs(given: list[str]) -> dict[str, list[Path]]:
    """Files by the name of their pack, as the command line has them."""
    if not given:
        return {
            "shipped": [SHIPPED],
            "repaired": [HERE / "detection_repaired.yaml"],
            "naive": [HERE / "detection_naive.yaml"],
        }
    found = {}
    for each in given:
        name, _, paths = each.rpartition("=")
        files = [Path(path) for path in paths.split("+")]
        found[name or files[0].stem] = files
    return found


def _write_truth(directory: Path, truth: Week) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    attacks = [
        {
            "kind": each.kind, "alert": each.alert, "namespace": each.workload.namespace,
            "workload": each.workload.name, "start": truth.unix(each.start), "until": truth.unix(each.until),
            "names": each.names, "detail": each.detail,
        }
        for each in truth.attacks
    ]  # fmt: skip
    found = {"seed": truth.seed, "start": truth.start, "outages": truth.down, "attacks": attacks}
    (directory / f"truth-{truth.seed}.json").write_text(json.dumps(found, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rules", nargs="*")
    parser.add_argument("--seeds", default="1")
    parser.add_argument("--learning", type=int, default=3)
    parser.add_argument("--scored", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", choices=("novel", "volume"))
    parser.add_argument("--most", type=int, default=15, help="how many misses and alerts of one reason are listed")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--truth", type=Path)
    given = parser.parse_args()
    seeds = [int(seed) for seed in given.seeds.split(",")]
    alerts = tuple(alert for alert in ALERTS if given.only in (None, WORDS[alert].split()[0]))
    jobs = [
        (name, paths, seed, given.learning, given.scored, alerts)
        for name, paths in packs(given.rules).items()
        for seed in seeds
    ]
    scores: list[Score] = []
    with multiprocessing.get_context("spawn").Pool(min(given.jobs, len(jobs)), maxtasksperchild=1) as pool:
        for score in pool.imap(run, jobs, chunksize=1):
            scores.append(score)
            print(f"{score.pack}, week {score.seed}: {score.seconds:.0f} s", file=sys.stderr, flush=True)
    report = [
        f"{len(seeds)} simulated week(s) of 30 workloads: {given.learning} days to learn, then {given.scored} scored.",
        "", *table(scores), "", *kinds(scores), *details(scores, given.most),
    ]  # fmt: skip
    print("\n".join(report))
    if given.output:
        given.output.write_text("# Detection on simulated weeks\n\n" + "\n".join(report) + "\n", encoding="utf-8")
    if given.truth:
        for seed in seeds:
            _write_truth(given.truth, week(seed, given.learning, given.scored))


if __name__ == "__main__":
    main()
