"""Reports to render: one for each kind of message in docs/messages.md, built from model values only."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tocsin.findings import Change, Findings, Gap, Lookups, PolicyFacts, PolicyMatch, Volume
from tocsin.model import Classification, Destination, Evidence, Kind, NoticeReason, Posture, Priority, Subject, Verdict
from tocsin.report import Assessment, Report

NOW = datetime(2026, 11, 22, 14, 13, 5, tzinfo=UTC)
ALERTMANAGER = "https://alertmanager.home.example"
QUERY = "https://prometheus.home.example/graph?g0.expr=hubble_dns_queries_total&g0.tab=1"


def ago(**parts: float) -> datetime:
    """An instant before NOW, in the words of timedelta."""
    return NOW - timedelta(**parts)


def destination(name: str, domain: str = "") -> Destination:
    """A destination as it comes out of normalisation, for names without escapes."""
    head, _, top = name.rpartition(".")
    return Destination(raw=f"{name}.", name=name, domain=domain or name, shown=f"{head}[.]{top}" if head else name)


def unexplained() -> Report:
    """A bounded workload asks for a name that nobody explains."""
    paste = destination("files.paste-drop.example", "paste-drop.example")
    bump = Change(
        sha="5f2c9e1",
        at=ago(hours=2),
        author="renovate[bot]",
        bot=True,
        subject="feat(container): update recyclarr 7.4.1 -> 7.5.0",
        pull_request=11999,
    )
    opened = Change(
        sha="a81b0c7",
        at=ago(days=41),
        author="Anna",
        bot=False,
        subject="toEntities world for canonical names",
        pull_request=11533,
        what=("+ world:443",),
    )
    return Report(
        incident_id="20261122T141305-8f14e45f",
        kind=Kind.NOVEL,
        reason=NoticeReason.FIRST,
        subject=Subject("", "media", "recyclarr", ("recyclarr-29788325-vfgx7",), "label workload"),
        destination=paste,
        other_destinations=(),
        classification=Classification(Posture.BOUNDED, (Evidence("apps.yaml", "recyclarr is bounded"),)),
        findings=Findings(
            lookups={
                "paste-drop.example": Lookups(
                    "paste-drop.example",
                    names=("files.paste-drop.example",),
                    pods=("recyclarr-29788325-vfgx7",),
                    first_asked_at=ago(minutes=11),
                    lookups=12,
                    neighbours=(),
                    watched_for=timedelta(days=14),
                )
            },
            policy=PolicyFacts(
                (
                    PolicyMatch(
                        "recyclarr-allow",
                        "media",
                        "apps/media/recyclarr/policy.yaml",
                        allows={"files.paste-drop.example": "world:443"},
                        changes=(opened,),
                    ),
                ),
                releases=(bump,),
            ),
        ),
        assessment=Assessment(
            Verdict.UNEXPLAINED,
            "recyclarr is bounded and this name is not among its 4 expected destinations.",
            (
                "first asked 14:02 UTC, 11 min ago; 12 lookups, 1 pod (recyclarr-29788325-vfgx7)",
                "no pod of recyclarr asked for it in 14 d; no other workload asks for paste-drop[.]example",
                "policy recyclarr-allow lets it through: world:443",
                'policy unchanged for 41 d (#11533, "toEntities world for canonical names")',
                "recyclarr 7.4.1 -> 7.5.0 2 h before (#11999, renovate)",
            ),
            "look at the pod, or accept the name if 7.5.0 explains it.",
        ),
        priority=Priority.URGENT,
        alert_name="EgressNovelDestination",
        summary="media/recyclarr asked for files.paste-drop.example for the first time",
        description="",
        labels={
            "alertname": "EgressNovelDestination",
            "namespace": "media",
            "workload": "recyclarr",
            "destination": "files.paste-drop.example.",
            "severity": "warning",
        },
        firing=1,
        seen=1,
        started_at=ago(minutes=11),
        written_at=NOW,
        alertmanager_url=ALERTMANAGER,
        generator_url=QUERY,
    )


def explained() -> Report:
    """A rollout: another pod of the workload asked before."""
    return replace(
        unexplained(),
        subject=Subject("", "media", "sonarr", ("sonarr-7c9d5b8f6d-q2x8v",), "label workload"),
        destination=destination("api.thetvdb.com", "thetvdb.com"),
        findings=Findings(),
        assessment=Assessment(
            Verdict.EXPLAINED,
            "Another sonarr pod asked for it 31 min ago; this pod is new (rollout 12 min ago, image 4.0.9 -> 4.0.10).",
        ),
        priority=Priority.LOW,
        labels={"alertname": "EgressNovelDestination", "namespace": "media", "workload": "sonarr"},
    )


def expected() -> Report:
    """The name is listed in the configuration."""
    return replace(
        explained(),
        assessment=Assessment(
            Verdict.EXPECTED, "api.thetvdb[.]com is among the expected destinations of sonarr (apps.yaml)."
        ),
        priority=Priority.MIN,
    )


def volume() -> Report:
    """A workload sends far more than it does in a day."""
    return replace(
        unexplained(),
        kind=Kind.VOLUME,
        subject=Subject("", "home", "node-red", ("node-red-0",), "owner of the pod"),
        destination=None,
        findings=Findings(
            volume=Volume(
                rate=18.4e6,
                avg_24h=164e3,
                avg_7d=160e3,
                sigma_7d=21e3,
                multiple=112.2,
                sent=11e9,
                since_at=ago(minutes=33),
                new_names=("backup-eu.example.net",),
                baseline_for=timedelta(days=6, hours=4),
            )
        ),
        assessment=Assessment(
            Verdict.SUSPICIOUS,
            "18.4 MB/s over 10 min against 164 kB/s on average over 24 h; 11 GB since 13:40 UTC. Baseline 6 d 4 h old.",
            (
                "in the same hour: 1 new name, backup-eu.example[.]net (none of the other 166 workloads asks for it)",
                "node-red is unbounded by design (apps.yaml), world:443",
                "nothing deployed in 9 d; policy unchanged for 63 d",
            ),
            "`hubble observe --from-pod home/node-red --since 1h`, then decide.",
        ),
        priority=Priority.HIGH,
        alert_name="EgressVolumeAnomaly",
        labels={"alertname": "EgressVolumeAnomaly", "namespace": "home", "pod": "node-red-0", "severity": "warning"},
        started_at=ago(minutes=33),
    )


def gaps() -> Report:
    """Prometheus and the repository did not answer; three more names and a named cluster."""
    report = unexplained()
    return replace(
        report,
        subject=replace(report.subject, cluster="lab"),
        other_destinations=tuple(
            destination(name) for name in ("cdn.paste-drop.example", "up.paste-drop.example", "paste-drop.example")
        ),
        findings=Findings(
            policy=PolicyFacts(stale_for=timedelta(minutes=47), stale_reason="fetch failing: authentication"),
            gaps=(
                Gap("Prometheus", "timed out after 5 s", ("first-seen", "neighbours")),
                Gap("GitHub", "rate limited until 14:30 UTC", ("pull requests",)),
            ),
        ),
        assessment=replace(report.assessment, reasons=("policy recyclarr-allow lets it through: world:443",)),
        firing=4,
        truncated=3,
    )


def worse() -> Report:
    """Told before as unexplained, now suspicious."""
    report = unexplained()
    found = (
        "48 names under paste-drop[.]example in 10 min, labels up to 61 characters: shaped like a tunnel",
        *report.assessment.reasons,
    )
    verdict = replace(report.assessment, verdict=Verdict.SUSPICIOUS, reasons=found)
    return replace(report, reason=NoticeReason.WORSE, assessment=verdict, seen=6, firing=1, started_at=ago(hours=3))


def wider() -> Report:
    """A second workload asks for the domain of an open incident."""
    report = unexplained()
    told = replace(
        report.assessment, headline="radarr is bounded and this name is not among its 6 expected destinations."
    )
    told = replace(told, reasons=("media/recyclarr asks for paste-drop[.]example since 14:02 UTC", *told.reasons[2:4]))
    return replace(
        report,
        reason=NoticeReason.WIDER,
        elsewhere=("media/recyclarr",),
        subject=Subject("", "media", "radarr", ("radarr-0",), "label workload"),
        assessment=replace(told, next_step="look at both pods; one cause is likely."),
        labels={**report.labels, "workload": "radarr"},
    )


def repeat() -> Report:
    """Still firing a day after it was told."""
    return replace(
        unexplained(), reason=NoticeReason.REPEAT, seen=14, priority=Priority.HIGH, started_at=ago(days=1, hours=2)
    )


def resolved() -> Report:
    """It stopped."""
    report = unexplained()
    return replace(
        report,
        reason=NoticeReason.RESOLVED,
        seen=5,
        firing=0,
        priority=Priority.LOW,
        started_at=ago(hours=1, minutes=50),
    )


def other() -> Report:
    """An alert that tocsin does not know, from kube-state-metrics."""
    return replace(
        unexplained(),
        kind=Kind.OTHER,
        subject=Subject("", "media", "sonarr", ("sonarr-7c9d5b8f6d-q2x8v",), "owner of the pod"),
        destination=None,
        findings=Findings(),
        assessment=Assessment(Verdict.UNJUDGED, ""),
        priority=Priority.DEFAULT,
        alert_name="KubePodCrashLooping",
        summary="Pod is crash looping.",
        description='Pod media/sonarr-7c9d5b8f6d-q2x8v (sonarr) is in waiting state (reason: "CrashLoopBackOff").\n'
        "Runbook: https://runbooks.prometheus-operator.dev/runbooks/kubernetes/kubepodcrashlooping",
        labels={
            "alertname": "KubePodCrashLooping",
            "container": "app",
            "endpoint": "http",
            "instance": "10.42.0.17:8080",
            "job": "kube-state-metrics",
            "namespace": "media",
            "pod": "sonarr-7c9d5b8f6d-q2x8v",
            "prometheus": "monitoring/kube-prometheus-stack",
            "reason": "CrashLoopBackOff",
            "service": "kube-state-metrics",
            "severity": "warning",
            "uid": "0f6c9a3e-5f0e-4f6e-9d0f-3d9f9a1b2c3d",
        },
        generator_url="https://prometheus.home.example/graph?g0.expr=kube_pod_container_status_waiting_reason&g0.tab=1",
    )


def hostile() -> Report:
    """Everything an attacker can name is named to hurt."""
    report = unexplained()
    evil = Destination(
        raw=r"<img src=x onerror=alert(1)>.\@channel.evil.example.",
        name=r"\x3cimg\x20src=x\x20onerror=alert(1)\x3e.\x40channel.evil.example",
        domain="evil.example",
        shown=r"\x3cimg\x20src\x3dx\x20onerror\x3dalert\x281\x29\x3e.\x40channel.evil[.]example",
    )
    return replace(
        report,
        subject=Subject("", "media", "web.evil.com", ("<b>web</b>-\u202e-1",), "stripped pod name"),
        destination=evil,
        other_destinations=(destination("login.evil.com.cdn.example"), destination("203.0.113.7")),
        assessment=Assessment(
            Verdict.SUSPICIOUS,
            "web.evil[.]com is bounded & <i>this</i> name is not among its 4 expected destinations.",
            (
                f"asked for {evil.shown}",
                'policy changed 2 h before (#7, "see https://evil.com/?q=<script> and mail me@evil.com\r\nX-Admin: 1")',
                "image tag \u202egnp.exe\u202c\x1b[31m",
            ),
            "`kubectl -n media describe pod '<b>web</b>'`.",
        ),
        summary="<script>alert(1)</script> https://evil.com/",
        labels={**report.labels, "workload": "web.evil.com", "destination": evil.raw},
    )


def long() -> Report:
    """Far more than any channel takes."""
    report = gaps()
    reasons = tuple(f"reason {number}: " + 'a & b "quoted" \\x3c ' * 12 for number in range(1, 31))
    return replace(report, assessment=replace(report.assessment, reasons=reasons))


CASES = {
    build.__name__: build
    for build in (
        unexplained,
        explained,
        expected,
        volume,
        gaps,
        worse,
        wider,
        repeat,
        resolved,
        other,
        hostile,
        long,
    )
}
