"""What `tocsin policies audit` prints: which workloads may reach what, and what a search for words would have said."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tocsin import inert
from tocsin.classify import AppsFile, classify
from tocsin.gitops.index import Index, PlacedWorkload
from tocsin.gitops.repository import Snapshot
from tocsin.gitops.resolve import RELEASE, Resolution, of_declared
from tocsin.gitops.testimony import hear
from tocsin.model import Classification, Subject
from tocsin.pod_names import OPERATED
from tocsin.policy.document import Egress, PeerKind, Policy, Rule, Selector
from tocsin.policy.exposure import Exposure, exposure
from tocsin.policy.outside import WORLD
from tocsin.units import count

WORDS: Final = ("toEntities", "world", "toFQDNs")
_WIDTH: Final = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One workload: where it is declared, what selects it, where that lets it go, and what it is meant to be."""

    placed: PlacedWorkload
    resolution: Resolution
    exposure: Exposure
    fqdns: tuple[str, ...]
    ports: tuple[str, ...]
    classification: Classification
    undecided: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """The inventory of one commit. `files` counts files by word: as parsed, and as plain text.

    `unmatched` are policies for pods that select no declared workload.
    """

    sha: str
    policies: int
    files: dict[str, tuple[int, int]]
    rows: tuple[Row, ...]
    unmatched: tuple[str, ...]
    problems: tuple[str, ...]


def audit(snapshot: Snapshot, apps: AppsFile) -> Audit:
    """Reads the whole index; pure."""
    index = snapshot.index
    known = {(one.namespace, one.workload.release) for one in index.workloads if one.workload.kind != RELEASE}
    rows = tuple(
        _row(index, placed, apps)
        for placed in index.workloads
        if placed.namespace is not None
        and (placed.workload.kind != RELEASE or (placed.namespace, placed.workload.release) not in known)
    )
    selected = {id(each.placed) for row in rows for each in row.resolution.policies}
    selected |= {id(each) for row in rows for each in row.resolution.possible}
    parsed = {word: len({placed.file for placed in index.policies if _says(placed.policy, word)}) for word in WORDS}
    return Audit(
        sha=snapshot.sha,
        policies=len(index.policies),
        files={word: (parsed[word], index.mentions.get(word, 0)) for word in WORDS},
        rows=tuple(sorted(rows, key=lambda row: (row.placed.namespace, row.placed.app, row.placed.workload.name))),
        unmatched=tuple(
            f"{placed.policy.name} in {placed.file}"
            for placed in index.policies
            if id(placed) not in selected and any(rule.selector is not None for rule in placed.policy.rules)
        ),
        problems=index.problems,
    )


def _row(index: Index, placed: PlacedWorkload, apps: AppsFile) -> Row:
    namespace, workload = placed.namespace or "", placed.workload
    name = f"{workload.kind} {workload.name}" if workload.kind in OPERATED else workload.name  # no name of a workload
    found = of_declared(index, placed, namespace)
    rules = [rule for each in found.policies for rule in each.rules]
    said = hear(found)
    entries = [entry for rule in rules for entry in rule.egress]
    judged = classify(Subject("", namespace, name), apps, said.statements)
    return Row(
        placed,
        found,
        exposure(rules),
        fqdns=tuple(dict.fromkeys(_fqdns(entries))),
        ports=tuple(dict.fromkeys(_ports(entry for entry in entries if _leads_outside(entry)))),
        classification=judged,
        undecided=(*said.undecided, *said.problems),
    )


def _fqdns(entries: Iterable[Egress]) -> Iterable[str]:
    return (peer.value for entry in entries for peer in entry.peers if peer.kind is PeerKind.FQDN)


def _ports(entries: Iterable[Egress]) -> Iterable[str]:
    for entry in entries:
        for port in entry.ports:
            if port.number and port.number != "53":
                yield port.number if port.protocol in ("TCP", "ANY") else f"{port.number}/{port.protocol}"
        if not entry.ports:
            yield "all"


def _leads_outside(entry: Egress) -> bool:
    alone = exposure([Rule(Selector(), (entry,))])
    return bool(alone.world or alone.names or alone.public or alone.minor or alone.tunnels)


def _says(policy: Policy, word: str) -> bool:
    peers = [peer for rule in policy.rules for entry in rule.egress for peer in entry.peers]
    match word:
        case "toEntities":
            return any(peer.kind is PeerKind.ENTITY for peer in peers)
        case "world":
            return any(peer.kind is PeerKind.ENTITY and peer.value in WORLD for peer in peers)
    return any(peer.kind is PeerKind.FQDN for peer in peers)


def as_json(found: Audit) -> str:
    """The whole inventory."""
    return json.dumps(
        {
            "commit": found.sha,
            "policies": found.policies,
            "files": {word: {"parsed": parsed, "text": text} for word, (parsed, text) in found.files.items()},
            "workloads": [_json(row) for row in found.rows],
            "policies_without_workload": list(found.unmatched),
            "problems": list(found.problems),
        },
        ensure_ascii=False,
        indent=2,
    )


def _json(row: Row) -> dict[str, Any]:
    judged, seen = row.classification, row.exposure
    return {
        "namespace": row.placed.namespace,
        "app": row.placed.app,
        "workload": row.placed.workload.name,
        "kind": row.placed.workload.kind,
        "file": row.placed.file,
        "deployed": row.placed.deployed,
        "class": judged.posture.value,
        "policies": [
            {"name": each.placed.policy.name, "file": each.placed.file, "primary": each.primary, "sure": each.sure}
            for each in row.resolution.policies
        ],
        "default_deny": seen.default_deny,
        "world": list(seen.world + seen.minor + seen.tunnels),
        "fqdns": list(row.fqdns),
        "cidrs": list(seen.public + seen.local),
        "inside": list(seen.inside),
        "denied": list(seen.denied),
        "ports": list(row.ports),
        "evidence": [{"source": each.source, "statement": each.statement} for each in judged.evidence],
        "conflicts": [{"source": each.source, "statement": each.statement} for each in judged.conflicts],
        "undecided": list(row.undecided),
    }


def as_text(found: Audit) -> str:
    """A table for a terminal."""
    lines = [*_summary(found), ""]
    lines += [f"{'WORKLOAD':36} {'CLASS':10} {'EGRESS':{_WIDTH}} EVIDENCE"]
    for row in found.rows:
        label, why = _label(row), _why(row)
        lines.append(
            f"{_shown(label, 36):36} {row.classification.posture.value:10} {_shown(_egress(row), _WIDTH):{_WIDTH}} "
            f"{_shown(why[0], 100) if why else ''}"
        )
        lines += [f"{'':{36 + 1 + 10 + 1 + _WIDTH}} {_shown(each, 100)}" for each in why[1:]]
    return "\n".join([*lines, *_rest(found)])


def as_markdown(found: Audit) -> str:
    """A table for a pull request or a wiki; names are in code spans, in which nothing is a link or a mention."""
    lines = [*(f"- {line}" for line in _summary(found)), ""]
    lines += ["| workload | class | egress | evidence |", "|---|---|---|---|"]
    for row in found.rows:
        why = "<br>".join(_code(each) for each in _why(row))
        lines.append(f"| {_code(_label(row))} | {row.classification.posture.value} | {_code(_egress(row))} | {why} |")
    rest = [f"- {_code(line.strip())}" for line in _rest(found) if line.strip()]
    return "\n".join([*lines, "", *rest]) + "\n"


def _summary(found: Audit) -> list[str]:
    lines = [f"{count(found.policies, 'policy', 'policies')} at {found.sha[:9]}, {count(len(found.rows), 'workload')}"]
    for word, (parsed, text) in found.files.items():
        lines.append(f"files with {word}: {parsed} as parsed, {text} as plain text")
    return lines


def _label(row: Row) -> str:
    """With the kind, where that is not what makes the pods: a release, what an operator reads."""
    workload = row.placed.workload
    kind = f" ({workload.kind})" if workload.kind in (*OPERATED, RELEASE) else ""
    return f"{row.placed.namespace}/{workload.name}{kind}"


def _egress(row: Row) -> str:
    """Where it may go, the widest first."""
    seen = row.exposure
    if not row.resolution.policies:
        return "no policy selects it"
    if not seen.default_deny:
        return "no policy restricts its egress"
    said: Sequence[str] = seen.world + seen.names + seen.public + seen.tunnels + seen.minor + seen.local
    return ", ".join(said) if said else "nothing outside"


def _why(row: Row) -> list[str]:
    judged = row.classification
    said = [f"{each.source}: {each.statement}" for each in judged.evidence]
    said += [f"conflict: {each.source} says {each.statement}" for each in judged.conflicts]
    said += [f"undecided: {each}" for each in row.undecided]
    said += [] if row.placed.deployed else ["nothing deploys it"]
    if row.resolution.siblings:
        said.append(f"no policy of its own, unlike {', '.join(row.resolution.siblings)}")
    return said


def _rest(found: Audit) -> list[str]:
    lines = [f"policy that selects no declared workload: {_shown(each, 200)}" for each in found.unmatched]
    lines += [f"not read: {_shown(each, 200)}" for each in found.problems]
    return ["", *lines] if lines else []


def _shown(text: str, limit: int) -> str:
    return inert.text(text, limit)


def _code(text: str) -> str:
    """A code span that its content cannot end; a table's cell ends at a bar, even there."""
    plain = inert.text(text, 300).replace("`", "'").replace("|", "\\|")
    return f"`{plain}`" if plain else ""
