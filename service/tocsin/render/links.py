"""The links a message may carry: only to systems the operator runs, never built from a DNS name. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from tocsin.model import Kind, Report, Subject

URL_CHARS = 1500
"""Longest link of any message; a Prometheus expression link beyond it would crowd out the message itself."""

_PRINTABLE = re.compile(r"[!-~]+")
_UNSAFE = re.compile(r"[\"<>\\^`{|}]")
_IDENTIFIER = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NAMESPACE_LABELS = ("namespace", "source_namespace", "exported_namespace")
_WORKLOAD_LABELS = ("workload", "source_workload", "app", "deployment", "statefulset", "daemonset", "cronjob")
_POD_LABELS = ("pod", "source_pod")
_THING_LABELS = ("instance", "node", "job")


@dataclass(frozen=True, slots=True)
class Link:
    """A button: what it says and where it leads."""

    label: str
    url: str


def links(report: Report) -> tuple[Link, ...]:
    """Returns the links of a report, most useful first; what is not an http(s) URL is left out."""
    matchers = quote(alert_filter(report), safe="")
    alertmanager = report.alertmanager_url.rstrip("/")
    candidates = [
        Link("Silence", f"{alertmanager}/#/silences/new?filter={matchers}"),
        Link("Query", report.generator_url),
    ]
    if report.kind is Kind.OTHER:
        candidates.insert(0, Link("Alertmanager", f"{alertmanager}/#/alerts?filter={matchers}"))
    return tuple(link for link in candidates if _safe(link.url))


def alert_filter(report: Report) -> str:
    """Alertmanager's matchers for this alert and subject, with the label names the alert itself carries."""
    chosen = dict(_chosen(report.alert_name, report.subject, report.labels))
    return "{" + ",".join(f'{_name(name)}="{_escape(value)}"' for name, value in chosen.items()) + "}"


def _chosen(alert_name: str, subject: Subject, labels: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    yield "alertname", alert_name
    namespace = _label_with(labels, subject.namespace, _NAMESPACE_LABELS)
    who = _label_with(labels, subject.workload, _WORKLOAD_LABELS) or next(
        (found for pod in subject.pods if (found := _label_with(labels, pod, _POD_LABELS))), None
    )
    if namespace:
        yield namespace, labels[namespace]
    if who:
        yield who, labels[who]
    else:
        thing = next((name for name in _THING_LABELS if labels.get(name)), None)
        if thing and not namespace:
            yield thing, labels[thing]


def _label_with(labels: Mapping[str, str], value: str | None, preferred: tuple[str, ...]) -> str | None:
    if not value:
        return None
    return next((name for name in (*preferred, *sorted(labels)) if labels.get(name) == value), None)


def _name(name: str) -> str:
    return name if _IDENTIFIER.fullmatch(name) else f'"{_escape(name)}"'


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _safe(url: str) -> bool:
    if len(url) > URL_CHARS or not _PRINTABLE.fullmatch(url) or _UNSAFE.search(url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
