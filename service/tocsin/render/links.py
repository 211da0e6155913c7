"""The links a message may carry: only to systems the operator runs, never built from a DNS name. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from tocsin.model import Kind, NoticeReason, Subject
from tocsin.report import Report

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
    alertmanager = report.alertmanager_url.rstrip("/")
    matchers = quote(alert_filter(report), safe="", errors="replace")  # JSON may hold lone surrogates
    candidates = []
    if report.kind is Kind.OTHER:
        candidates.append(Link("Alertmanager", f"{alertmanager}/#/alerts?filter={matchers}"))
    if report.reason is not NoticeReason.RESOLVED and _told_apart(report.subject, report.labels):
        candidates.append(Link("Silence", f"{alertmanager}/#/silences/new?filter={matchers}"))
    candidates.append(Link("Query", report.generator_url))
    return tuple(link for link in candidates if _safe(link.url))


def alert_filter(report: Report) -> str:
    """Alertmanager's matchers for this alert and subject, with the label names the alert itself carries."""
    labels, subject = report.labels, report.subject
    names = [_label_with(labels, subject.namespace, _NAMESPACE_LABELS), _who(subject, labels)]
    if not any(names):
        names = [next((name for name in _THING_LABELS if labels.get(name)), None)]
    chosen = {"alertname": report.alert_name} | {name: labels[name] for name in names if name}
    return "{" + ",".join(f'{_name(name)}="{_escape(value)}"' for name, value in chosen.items()) + "}"


def _told_apart(subject: Subject, labels: Mapping[str, str]) -> bool:
    """Whether the alert's own labels single the subject out; a silence for a whole namespace is no button."""
    return not (subject.workload or subject.pods) or _who(subject, labels) is not None


def _who(subject: Subject, labels: Mapping[str, str]) -> str | None:
    pods = (_label_with(labels, pod, _POD_LABELS) for pod in subject.pods)
    return _label_with(labels, subject.workload, _WORKLOAD_LABELS) or next(filter(None, pods), None)


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
