"""YAML -> the network policies in it, with their comments. Never raises: what cannot be read is reported."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import yaml

from tocsin.policy import cilium, kubernetes
from tocsin.policy.comments import Commented, Span
from tocsin.policy.document import CLUSTERWIDE, EGRESS_ANNOTATION, KUBERNETES, POLICY, Egress, Parsed, Policy, Rule
from tocsin.policy.fields import items, mapping, text
from tocsin.yaml_documents import BROKEN, Document, documents, name_of, resources, sentence

_Where = tuple[yaml.Node | None, Span | None]
"""A node and its lines; None for all lines of a document that holds only this one."""
_Path = tuple[str | int, ...]
_NOWHERE: Final[_Where] = (None, Span(0, -1))
_RELEASES: Final = ("HelmRelease", "HelmChart", "Application")
_DEEPEST: Final = 8
"""Keys above a policy in the values of a release."""


def parse(text: str) -> Parsed:
    """Returns the policies of one file, in order, found by `kind`; a file that mentions none costs nothing."""
    found, problems = documents(text, lambda part: KUBERNETES in part)  # the other kinds end in it
    read = [policies(document) for document in found]
    return Parsed(
        tuple(policy for one in read for policy in one.policies),
        (*problems, *(problem for one in read for problem in one.problems)),
    )


def policies(document: Document) -> Parsed:
    """The policies of a document that was read already, with a sentence for each that has another shape."""
    found: list[Policy] = []
    problems: list[str] = []
    written: list[tuple[int, _Path, Mapping[str, Any]]] = []
    for place, resource in enumerate(resources(document)):
        try:
            written += [(place, path, policy) for path, policy in _written(resource)]
        except BROKEN as failure:
            problems.append(f"{name_of(resource)}: {sentence(failure)}")
    commented = Commented(document.text if written else "")
    nodes = _nodes(document, commented) if written else []
    for place, path, resource in written:
        where = _at(commented, nodes[place] if place < len(nodes) else _NOWHERE, path)
        try:
            found.append(_with_comments(_policy(resource), resource, commented, where))
        except BROKEN as failure:
            problems.append(f"{name_of(resource)}: {sentence(failure)}")
    return Parsed(tuple(found), tuple(problems))


def _written(resource: Mapping[str, Any]) -> Iterator[tuple[_Path, Mapping[str, Any]]]:
    """The resource itself, or what stands in the values of a release (`extraObjects` and the like), and where."""
    if _is_policy(resource):
        yield (), resource
    elif resource.get("kind") in _RELEASES:
        waiting: list[tuple[_Path, Any]] = [((), resource)]
        while waiting:
            path, value = waiting.pop()
            if isinstance(value, dict) and path and _is_policy(value):
                yield _unwrapped(path, value, _namespace(resource))
            elif isinstance(value, dict | list) and len(path) <= _DEEPEST:
                inner = value.items() if isinstance(value, dict) else enumerate(value)
                waiting += reversed([((*path, key), each) for key, each in inner if isinstance(key, str | int)])


def _unwrapped(path: _Path, value: Mapping[str, Any], namespace: str) -> tuple[_Path, Mapping[str, Any]]:
    """The chart app-template writes the body of `rawResources` one level deeper, and names it after its key."""
    metadata = {"name": str(path[-1]), "namespace": namespace, **mapping(value, "metadata")}
    for key in ("spec", "manifest"):
        body = value.get(key)
        if isinstance(body, dict) and body.keys() & {"spec", "specs"}:
            return (*path, key), {**value, "spec": None, **body, "metadata": metadata}
    return path, {**value, "metadata": metadata}


def _namespace(release: Mapping[str, Any]) -> str:
    spec = mapping(release, "spec")
    told = (spec.get("targetNamespace"), mapping(spec, "destination").get("namespace"))
    own = mapping(release, "metadata").get("namespace") if release.get("kind") == "HelmRelease" else None
    return str(next(filter(None, (*told, own)), ""))


def _at(commented: Commented, where: _Where, path: _Path) -> _Where:
    """The node of what is inside another one."""
    for step in path:
        node = where[0]
        if isinstance(step, str):
            where = commented.pairs(node).get(step, _NOWHERE)
        else:
            listed = commented.entries(node)
            where = listed[step] if step < len(listed) else _NOWHERE
    return where


def _is_policy(resource: Mapping[str, Any]) -> bool:
    """Calico has a kind NetworkPolicy, too."""
    kind, version = resource.get("kind"), str(resource.get("apiVersion"))
    return kind in (POLICY, CLUSTERWIDE) or (kind == KUBERNETES and version.startswith("networking.k8s.io/"))


def _policy(resource: Mapping[str, Any]) -> Policy:
    metadata = mapping(resource, "metadata")
    namespace = str(metadata.get("namespace") or "")
    said = mapping(metadata, "annotations").get(EGRESS_ANNOTATION)
    return Policy(
        kind=str(resource["kind"]),
        name=str(metadata.get("name") or ""),
        namespace=namespace if namespace and "$" not in namespace and "{" not in namespace else None,
        rules=tuple(_rule(str(resource["kind"]), spec) for spec in _specs(resource)),
        annotations=() if said is None else ((EGRESS_ANNOTATION, text(said)),),
        written_namespace=namespace,
    )


def _specs(resource: Mapping[str, Any]) -> list[Any]:
    return ([resource["spec"]] if resource.get("spec") else []) + items(resource, "specs")


def _rule(kind: str, spec: Any) -> Rule:
    if not isinstance(spec, dict):
        raise TypeError("a spec is not a mapping")
    return kubernetes.rule(spec) if kind == KUBERNETES else cilium.rule(spec)


def _nodes(document: Document, commented: Commented) -> list[_Where]:
    """Where each resource is."""
    if not isinstance(document.value, dict) or not str(document.value.get("kind", "")).endswith("List"):
        return [(commented.root, None)]
    items_node = commented.pairs(commented.root).get("items")
    listed = commented.entries(items_node[0]) if items_node else []
    return [(node, lines) for node, lines in listed if isinstance(node, yaml.MappingNode)]


def _with_comments(policy: Policy, resource: Mapping[str, Any], commented: Commented, where: _Where) -> Policy:
    node, lines = where
    pairs = commented.pairs(node)
    specs: list[_Where] = [(pairs["spec"][0], _NOWHERE[1])] if resource.get("spec") and "spec" in pairs else []
    specs += commented.entries(pairs["specs"][0]) if "specs" in pairs else []
    taken: set[int] = set()
    rules = [
        _rule_with_comments(rule, commented, spec, taken)
        for rule, spec in zip(policy.rules, specs, strict=False)  # none where the text cannot be composed
    ]
    described = [str(spec["description"]) for spec in _specs(resource) if spec.get("description")]
    return replace(
        policy,
        rules=(*rules, *policy.rules[len(rules) :]),
        comments=(*commented.texts(lines, without=taken), *described),
    )


def _rule_with_comments(rule: Rule, commented: Commented, where: _Where, taken: set[int]) -> Rule:
    """Adds to `taken` the lines whose comments are no longer the document's.

    Those of ingress are nobody's, nor are those inside the selector: they say which workloads, not where to.
    """
    spec, lines = where
    pairs = commented.pairs(spec)
    spans = [pairs[key][1] for key in ("ingress", "ingressDeny") if key in pairs]
    spans += [_below(pairs[key][1]) for key in ("endpointSelector", "podSelector") if key in pairs]
    allowed, denied = (commented.entries(pairs[key][0] if key in pairs else None) for key in ("egress", "egressDeny"))
    spans += [span for _, span in (*allowed, *denied)]
    taken.update(line for span in spans for line in span.lines)
    own = commented.texts(lines, without=taken)
    taken.update(lines.lines if lines else ())
    return replace(
        rule,
        comments=own,
        egress=_entries_with_comments(rule.egress, commented, allowed),
        egress_deny=_entries_with_comments(rule.egress_deny, commented, denied),
    )


def _below(span: Span) -> Span:
    """The lines after the first, which may stand under a comment about the whole spec."""
    return Span(span.first + 1, span.last)


def _entries_with_comments(
    entries: tuple[Egress, ...], commented: Commented, nodes: Sequence[tuple[yaml.Node, Span]]
) -> tuple[Egress, ...]:
    if len(nodes) != len(entries):
        return entries
    return tuple(_entry_with_comments(entry, commented, *node) for entry, node in zip(entries, nodes, strict=True))


def _entry_with_comments(entry: Egress, commented: Commented, node: yaml.Node, span: Span) -> Egress:
    lists = [value for key, (value, _) in commented.pairs(node).items() if key.startswith("to") and key != "toPorts"]
    spans = [peer for one in lists for _, peer in commented.entries(one)]
    peers = entry.peers
    if len(spans) == len(peers):
        peers = tuple(replace(peer, comments=commented.texts(one)) for peer, one in zip(peers, spans, strict=True))
    return replace(entry, peers=peers, comments=commented.texts(span))
