"""What `tocsin resolve` prints: who a pod is, which policies select it, what it may be meant to reach, what changed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tocsin import inert, units
from tocsin.classify import AppsFile, classify
from tocsin.errors import TocsinError
from tocsin.findings import Change
from tocsin.gitops.git import GitRepository
from tocsin.gitops.resolve import Resolution, resolve
from tocsin.gitops.testimony import hear
from tocsin.model import Classification, Posture, Subject
from tocsin.policy.document import POLICY

HISTORY: Final = 5
"""Changes told of a policy, and of a component."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that is known of one pod. `history` says of each change which paths it is about."""

    resolution: Resolution
    classification: Classification
    undecided: tuple[str, ...]
    history: tuple[tuple[Change, tuple[str, ...]], ...]


def asked(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Reads one `{"namespace", "pod"}` a line; raises TocsinError with the number of a line that is none."""
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            found.append((str(value["namespace"]), str(value["pod"])))
        except (ValueError, TypeError, KeyError) as failure:
            raise TocsinError(f'line {number} is not a JSON object with "namespace" and "pod"') from failure
    return found


async def answers(repository: GitRepository, apps: AppsFile, pods: Sequence[tuple[str, str]]) -> list[Answer]:
    """Answers for every pod, in the order asked; the index is built once. Raises LookupFailed."""
    await repository.refresh()
    index = repository.snapshot().index
    resolutions = [resolve(index, namespace, pod) for namespace, pod in pods]
    paths = sorted({path for one in resolutions for path in _paths(one)})
    histories = await repository.histories(paths, HISTORY)
    return [Answer(one, *_classified(one, apps), _history(one, histories)) for one in resolutions]


def _paths(one: Resolution) -> list[str]:
    """What changes are told of: the files of its policies, the primary one's first, and the component."""
    files = [each.placed.file for each in one.policies]
    return list(dict.fromkeys([*files, one.component] if one.component else files))


def _history(
    one: Resolution, histories: Mapping[str, tuple[Change, ...]]
) -> tuple[tuple[Change, tuple[str, ...]], ...]:
    """Each commit once, the newest first; what it did to a policy is told before what it did beside it."""
    found: dict[str, tuple[Change, tuple[str, ...]]] = {}
    for path in _paths(one):
        for change in histories.get(path, ()):
            known, paths = found.get(change.sha, (change, ()))
            found[change.sha] = known, (*paths, path)
    return tuple(sorted(found.values(), key=lambda told: told[0].at, reverse=True))


def _classified(one: Resolution, apps: AppsFile) -> tuple[Classification, tuple[str, ...]]:
    """The class with its evidence, and what was looked at and proves nothing."""
    if one.app is None:
        return Classification(Posture.UNKNOWN), ()
    said = hear(one)
    judged = classify(Subject("", one.namespace, one.workload), apps, said.statements)
    return judged, (*said.undecided, *said.problems)


def as_json(answer: Answer) -> str:
    """One line."""
    one, judged = answer.resolution, answer.classification
    value: dict[str, Any] = {
        "namespace": one.namespace,
        "pod": one.pod,
        "app": one.app,
        "component": one.component,
        "workload": one.workload,
        "kind": one.kind,
        "file": one.file,
        "deployed": one.deployed,
        "host_network": one.host_network,
        "evidence": one.evidence,
        "policies": [
            {
                "name": each.placed.policy.name,
                "kind": each.placed.policy.kind,
                "namespace": each.placed.namespace or None,
                "file": each.placed.file,
                "primary": each.primary,
                "deployed": each.placed.deployed,
                "sure": each.sure,
            }
            for each in one.policies
        ],
        "possible_policies": [{"name": each.policy.name, "file": each.file} for each in one.possible],
        "siblings_with_policy": list(one.siblings),
        "classification": {
            "class": judged.posture.value,
            "evidence": [{"source": each.source, "statement": each.statement} for each in judged.evidence],
            "conflicts": [{"source": each.source, "statement": each.statement} for each in judged.conflicts],
            "undecided": list(answer.undecided),
        },
        "history": [
            {
                "sha": change.sha,
                "at": change.at.isoformat(),
                "author": change.author,
                "bot": change.bot,
                "subject": change.subject,
                "pull_request": change.pull_request,
                "what": list(change.what),
                "paths": list(paths),
            }
            for change, paths in answer.history
        ],
    }
    return json.dumps(value, ensure_ascii=False)


def as_text(answer: Answer, now: datetime | None = None) -> str:
    """For a person at a terminal; what others wrote is made inert."""
    one, judged, now = answer.resolution, answer.classification, now or datetime.now(UTC)
    lines = [f"{inert.text(one.namespace)}/{inert.text(one.pod or '')}"]
    if one.app is None:
        return "\n".join([*lines, f"  {inert.text(one.evidence, 400)}"])
    lines.append(f"  app        {inert.text(one.app)}, workload {inert.text(one.workload or '')}")
    lines.append(f"  told by    {inert.text(one.evidence, 400)}")
    if one.component:
        lines.append(f"  component  {inert.text(one.component, 200)}")
    for each in one.policies:
        marks = [
            *(["primary"] if each.primary else []),
            *([] if each.placed.policy.kind == POLICY else [each.placed.policy.kind]),
            *([] if each.sure else ["likely"]),
            *([] if each.placed.deployed else ["not deployed"]),
        ]
        name, file = inert.text(each.placed.policy.name), inert.text(each.placed.file, 200)
        marked = f" ({', '.join(marks)})" if marks else ""
        lines.append(f"  policy     {name} in {file}{marked}")
    if not one.policies:
        lines.append("  policy     none selects it")
    for placed in one.possible:
        name, file = inert.text(placed.policy.name), inert.text(placed.file, 200)
        lines.append(f"             {name} in {file} may select it too")
    if one.siblings:
        lines.append(f"             no policy of its own, unlike {inert.text(', '.join(one.siblings), 200)}")
    lines.append(f"  class      {judged.posture.value}")
    lines += [f"             {inert.text(each.source)}: {inert.text(each.statement, 200)}" for each in judged.evidence]
    lines += [
        f"             but {inert.text(each.source)}: {inert.text(each.statement, 200)}" for each in judged.conflicts
    ]
    lines += [f"             undecided: {inert.text(each, 200)}" for each in answer.undecided]
    usual = {one.component, one.primary.placed.file if one.primary else None}
    for change, paths in answer.history:
        said = ", ".join(change.what) or f'"{change.subject}"'
        who = inert.text(change.author) + (" (bot)" if change.bot else "")
        number = f"#{change.pull_request}" if change.pull_request else change.sha[:9]
        where = "" if usual & set(paths) else f" in {inert.text(paths[0], 200)}"
        lines.append(f"  {units.age(now - change.at):>8} ago  {inert.text(said, 200)}{where} ({number}, {who})")
    return "\n".join(lines)
