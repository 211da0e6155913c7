"""YAML text -> the Cilium network policies in it. Never raises: what cannot be read is reported."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from tocsin.policy.document import (
    CLUSTERWIDE,
    POLICY,
    Egress,
    Parsed,
    Peer,
    PeerKind,
    Policy,
    Port,
    Requirement,
    Rule,
    Selector,
)

MAX_FILE_CHARS: Final = 1_000_000
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DOCUMENT_START: Final = re.compile(r"^---(?=\s|$)", re.MULTILINE)
_SOURCE_PREFIX: Final = re.compile(r"^(?:k8s|any)[:.](?=.)")
_BROKEN: Final = (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, RecursionError)


def parse(text: str) -> Parsed:
    """Returns the policies of one file, in order, found by `kind`; a file that mentions none costs nothing."""
    if POLICY not in text and CLUSTERWIDE not in text:
        return Parsed()
    if len(text) > MAX_FILE_CHARS:
        return Parsed(problems=(f"larger than {MAX_FILE_CHARS} characters",))
    try:
        documents = list(yaml.load_all(text, Loader=_LOADER))
        problems: list[str] = []
    except _BROKEN:
        documents, problems = _one_by_one(text)
    policies: list[Policy] = []
    for resource in _resources(documents):
        try:
            policies.append(_policy(resource))
        except _BROKEN as failure:
            problems.append(f"{_name(resource)}: {_sentence(failure)}")
    return Parsed(tuple(policies), tuple(problems))


def _one_by_one(text: str) -> tuple[list[Any], list[str]]:
    """Reads every document by itself, so that a broken one does not hide its neighbours."""
    documents: list[Any] = []
    problems: list[str] = []
    for number, part in enumerate(_DOCUMENT_START.split(text), start=1):
        if POLICY not in part and CLUSTERWIDE not in part:
            continue
        try:
            documents.extend(yaml.load_all(part, Loader=_RedefiningLoader))
        except _BROKEN as failure:
            problems.append(f"document {number}: {_sentence(failure)}")
    return documents, problems


class _RedefiningLoader(yaml.SafeLoader):
    """Lets an anchor be defined again, as YAML 1.2 does and PyYAML does not."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.NodeEvent) and not isinstance(event, yaml.AliasEvent):
            self.anchors.pop(event.anchor, None)
        return super().compose_node(parent, index)


def _sentence(failure: Exception) -> str:
    mark = getattr(failure, "problem_mark", None)
    said = getattr(failure, "problem", None) or str(failure) or type(failure).__name__
    return f"{said} (line {mark.line + 1})" if mark else str(said)


def _resources(documents: list[Any]) -> Iterator[Mapping[str, Any]]:
    for document in documents:
        if not isinstance(document, dict):
            continue
        items = document.get("items") if str(document.get("kind", "")).endswith("List") else None
        for resource in items if isinstance(items, list) else [document]:
            if isinstance(resource, dict) and resource.get("kind") in (POLICY, CLUSTERWIDE):
                yield resource


def _name(resource: Mapping[str, Any]) -> str:
    metadata = resource.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _policy(resource: Mapping[str, Any]) -> Policy:
    metadata = _mapping(resource, "metadata")
    namespace = str(metadata.get("namespace") or "")
    specs = ([resource["spec"]] if resource.get("spec") else []) + _list(resource, "specs")
    return Policy(
        kind=str(resource["kind"]),
        name=str(metadata.get("name") or ""),
        namespace=namespace if namespace and "$" not in namespace and "{" not in namespace else None,
        rules=tuple(_rule(spec) for spec in specs),
    )


def _rule(spec: Mapping[str, Any]) -> Rule:
    if not isinstance(spec, dict):
        raise TypeError("a spec is not a mapping")
    kept = ("endpointSelector", "egress", "egressDeny")
    return Rule(
        selector=None if spec.get("endpointSelector") is None else selector(spec["endpointSelector"]),
        egress=tuple(_egress(entry) for entry in _list(spec, "egress")),
        egress_deny=tuple(_egress(entry) for entry in _list(spec, "egressDeny")),
        rest=_canonical({key: value for key, value in spec.items() if key not in kept}),
    )


def selector(value: Mapping[str, Any]) -> Selector:
    """Reads a label selector; the label sources `k8s:` and `any:` mean the pod's own labels and are dropped."""
    labels = [Requirement(_key(key), "In", frozenset({_text(text)})) for key, text in _pairs(value, "matchLabels")]
    expressions = [
        Requirement(_key(entry["key"]), str(entry["operator"]), frozenset(map(_text, _list(entry, "values"))))
        for entry in _list(value, "matchExpressions")
    ]
    return Selector(tuple(labels + expressions))


def _egress(entry: Mapping[str, Any] | None) -> Egress:
    entry = entry or {}
    written = [key for key in entry if key.startswith("to") and key != "toPorts" and entry[key] is not None]
    peers = [peer for key in written for peer in _peers(key, _list(entry, key))]
    ports = [port for group in _list(entry, "toPorts") for port in _ports(group)]
    ports += [Port("", "ICMP") for _ in _list(entry, "icmps")[:1]]
    return Egress(tuple(peers) if written else (Peer(PeerKind.EVERYTHING),), tuple(ports))


def _peers(key: str, values: list[Any]) -> Iterator[Peer]:
    for value in values:
        match key:
            case "toFQDNs" if value.get("matchName"):
                yield Peer(PeerKind.FQDN, str(value["matchName"]), exact=True)
            case "toFQDNs":
                yield Peer(PeerKind.FQDN, str(value["matchPattern"]))
            case "toEntities":
                yield Peer(PeerKind.ENTITY, str(value))
            case "toCIDR":
                yield Peer(PeerKind.CIDR, str(value))
            case "toCIDRSet" if value.get("cidr"):
                yield Peer(PeerKind.CIDR, str(value["cidr"]), excepts=tuple(map(str, _list(value, "except"))))
            case "toEndpoints":
                yield Peer(PeerKind.ENDPOINTS, _described(selector(value or {})))
            case _:
                yield Peer(PeerKind.OTHER, f"{key} {_canonical(value)}")


def _ports(group: Mapping[str, Any]) -> Iterator[Port]:
    layer7 = _mapping(group, "rules")
    patterns = tuple(str(item.get("matchName") or item.get("matchPattern") or "") for item in _list(layer7, "dns"))
    for port in _list(group, "ports") or [{}]:
        number = "" if str(port.get("port") or 0) == "0" else str(port["port"])
        yield Port(
            number=f"{number}-{port['endPort']}" if port.get("endPort") else number,
            protocol=str(port.get("protocol") or "ANY").upper(),
            server_names=tuple(map(str, _list(group, "serverNames"))),
            dns=patterns,
            layer7=any(layer7.get(key) for key in layer7 if key != "dns"),
        )


def _described(selected: Selector) -> str:
    parts = []
    for item in selected.requirements:
        values = ",".join(sorted(item.values))
        single = item.operator == "In" and len(item.values) == 1
        parts.append(f"{item.key}={values}" if single else f"{item.key} {item.operator} {values}".rstrip())
    return ", ".join(parts)


def _key(key: Any) -> str:
    return _SOURCE_PREFIX.sub("", str(key))


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str, ensure_ascii=False, separators=(",", ":"))


def _mapping(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{key} is not a mapping")
    return value or {}


def _pairs(parent: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    return list(_mapping(parent, key).items())


def _list(parent: Mapping[str, Any], key: str) -> list[Any]:
    value = parent.get(key)
    if value is not None and not isinstance(value, list):
        raise TypeError(f"{key} is not a list")
    return value or []
