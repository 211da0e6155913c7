"""Reports to render: one for each kind of message in docs/messages.md, judged as the service judges."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tocsin.assess.judge import assess
from tocsin.assess.settings import AssessSettings
from tocsin.findings import Change, Findings, Gap, Lookups, PodFacts, PolicyFacts, PolicyMatch, Volume
from tocsin.model import (
    Alert,
    AlertStatus,
    Classification,
    Destination,
    Evidence,
    Kind,
    NoticeReason,
    Posture,
    Priority,
    Subject,
    Verdict,
)
from tocsin.report import Assessment, Report
from tocsin.roll_up import RollUp, Totals

NOW = datetime(2026, 11, 22, 14, 13, 5, tzinfo=UTC)
ALERTMANAGER = "https://alertmanager.home.example"
QUERY = "https://prometheus.home.example/graph?g0.expr=hubble_dns_queries_total&g0.tab=1"


GITHUB = ("github.com", "api.github.com", "raw.githubusercontent.com", "codeload.github.com")


def ago(**parts: float) -> datetime:
    """An instant before NOW, in the words of timedelta."""
    return NOW - timedelta(**parts)


def destination(name: str, domain: str = "") -> Destination:
    """A destination as it comes out of normalisation, for names without escapes."""
    head, _, top = name.rpartition(".")
    return Destination(raw=f"{name}.", name=name, domain=domain or name, shown=f"{head}[.]{top}" if head else name)


def classed(posture: Posture, *expected: str) -> Classification:
    """What apps.yaml says."""
    return Classification(posture, (Evidence("apps.yaml", f"*: {posture}"),), expected=expected)


def judged(report: Report, *others: Destination) -> Report:
    """The report with the conclusion that follows from its findings."""
    names = (report.destination, *others) if report.destination else ()
    alert = Alert(AlertStatus.FIRING, report.labels, {}, report.started_at, None, "", "0" * 16)
    subject, kind = report.subject, report.kind
    found = assess(kind, subject, names, report.classification, report.findings, alert, NOW, AssessSettings())
    return replace(report, assessment=found)


def unexplained() -> Report:
    """A bounded workload asks for a name that nobody explains."""
    paste = destination("files.paste-drop.example", "paste-drop.example")
    bump = Change(
        sha="5f2c9e1",
        at=ago(hours=2, minutes=11),
        author="renovate[bot]",
        bot=True,
        subject="feat(container): update recyclarr 7.4.1 -> 7.5.0",
        pull_request=11999,
        what=("7.4.1 -> 7.5.0",),
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
    report = Report(
        incident_id="20261122T141305-8f14e45f",
        kind=Kind.NOVEL,
        reason=NoticeReason.FIRST,
        subject=Subject("", "media", "recyclarr", ("recyclarr-29788325-vfgx7",), "label workload"),
        destination=paste,
        classification=classed(Posture.BOUNDED, *GITHUB),
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
        assessment=Assessment(Verdict.UNJUDGED, ""),
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
    return judged(report)


def explained() -> Report:
    """A rollout: another pod of the workload asked before."""
    pod = "sonarr-7c9d5b8f6d-q2x8v"
    bump = Change("77aa01c", ago(minutes=20), "renovate[bot]", True, "bump", 12003, ("image 4.0.9 -> 4.0.10",))
    lookups = Lookups(
        "thetvdb.com",
        pods=(pod,),
        first_asked_at=ago(days=14),
        lookups=3,
        earlier_pods=("sonarr-5f9c7d8b6c-x2x8v",),
        earlier_at=ago(minutes=31),
        neighbours=(),
        watched_for=timedelta(days=14),
    )
    report = replace(
        unexplained(),
        subject=Subject("", "media", "sonarr", (pod,), "label workload"),
        destination=destination("api.thetvdb.com", "thetvdb.com"),
        classification=classed(Posture.UNKNOWN),
        findings=Findings(
            lookups={"thetvdb.com": lookups},
            policy=PolicyFacts(
                (PolicyMatch("sonarr-allow", "media", "a.yaml", allows={"api.thetvdb.com": "world:443"}),), (bump,)
            ),
            pods=PodFacts({pod: ago(minutes=12)}),
        ),
        priority=Priority.LOW,
        labels={"alertname": "EgressNovelDestination", "namespace": "media", "workload": "sonarr"},
    )
    return judged(report)


def expected() -> Report:
    """The name is listed in the configuration."""
    report = replace(explained(), classification=classed(Posture.BOUNDED, "*.thetvdb.com"), findings=Findings())
    return replace(judged(report), priority=Priority.MIN)


def volume() -> Report:
    """A workload sends far more than it does in a day."""
    opened = Change("a81b0c7", ago(days=63), "Anna", False, "open for flows", 11201, ("+ world:443",))
    bump = Change("b92c1d8", ago(days=9), "renovate[bot]", True, "bump", 11800, ("4.0.1 -> 4.0.2",))
    report = replace(
        unexplained(),
        kind=Kind.VOLUME,
        subject=Subject("", "home", "node-red", ("node-red-0",), "owner of the pod"),
        destination=None,
        classification=classed(Posture.UNBOUNDED),
        findings=Findings(
            lookups={"example.net": Lookups("example.net", neighbours=())},
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
            ),
            policy=PolicyFacts(
                (PolicyMatch("node-red-allow", "home", "b.yaml", allows={"*": "world:443"}, changes=(opened,)),),
                (bump,),
            ),
        ),
        priority=Priority.HIGH,
        alert_name="EgressVolumeAnomaly",
        labels={"alertname": "EgressVolumeAnomaly", "namespace": "home", "pod": "node-red-0", "severity": "warning"},
        started_at=ago(minutes=33),
    )
    return judged(report)


def gaps() -> Report:
    """Prometheus and the repository did not answer; three more names and a named cluster."""
    report = unexplained()
    policy = report.findings.policy or PolicyFacts()
    (allowing,) = policy.policies
    others = tuple(destination(f"{name}.paste-drop.example", "paste-drop.example") for name in ("cdn", "up", "www"))
    names = ("files.paste-drop.example", *(other.name for other in others))
    report = replace(
        report,
        subject=replace(report.subject, cluster="lab"),
        findings=Findings(
            policy=PolicyFacts(
                (replace(allowing, allows=dict.fromkeys(names, "world:443"), changes=()),),
                stale_for=timedelta(minutes=47),
                stale_reason="fetch failing: authentication",
            ),
            gaps=(
                Gap("Prometheus", "timed out after 5 s", ("first-seen", "neighbours")),
                Gap("GitHub", "rate limited until 14:30 UTC", ("pull requests",)),
            ),
        ),
        firing=4,
        truncated=3,
    )
    return judged(report, *others)


def worse() -> Report:
    """Told before as unexplained, now suspicious."""
    report = unexplained()
    (found,) = report.findings.lookups.values()
    tunnel = tuple(f"{number:02d}a7f3c9e1b{number:02d}d5e8f.paste-drop.example" for number in range(10, 22))
    lookups = {found.domain: replace(found, names=tunnel, lookups=480)}
    report = replace(report, findings=replace(report.findings, lookups=lookups))
    return replace(judged(report), reason=NoticeReason.WORSE, seen=6, firing=1, started_at=ago(hours=3))


def wider() -> Report:
    """A second workload asks for the domain of an open incident."""
    report = unexplained()
    (found,) = report.findings.lookups.values()
    asked = replace(found, pods=("radarr-6d8f9c7b5d-z4x8v",), lookups=2, neighbours=("media/recyclarr",))
    report = replace(
        report,
        reason=NoticeReason.WIDER,
        elsewhere=("media/recyclarr",),
        subject=Subject("", "media", "radarr", ("radarr-6d8f9c7b5d-z4x8v",), "label workload"),
        classification=classed(Posture.BOUNDED, *GITHUB, "radarr.video", "api.themoviedb.org"),
        findings=Findings(lookups={found.domain: asked}, policy=PolicyFacts()),
        labels={**report.labels, "workload": "radarr"},
    )
    return judged(report)


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


def storm() -> RollUp:
    """A node restarts, and two apps nobody can explain are among those that come with it."""
    totals = Totals(
        incidents=33,
        workloads=31,
        namespaces=9,
        names=214,
        kinds={Kind.NOVEL: 33},
        verdicts={Verdict.EXPLAINED: 29, Verdict.UNEXPLAINED: 4},
        since_at=ago(minutes=5),
    )
    return RollUp(
        totals=totals,
        cause="Likely one cause: 19 of 20 pods looked at started after 13:58 UTC, as after a node's restart.",
        remarks=("Not known for 13 of 33: Prometheus was not asked, more than 20 workloads came in a minute.",),
        named=(
            "Unexplained: media/recyclarr -> files.paste-drop[.]example",
            "Unexplained: home/frigate -> telemetry.cam-vendor[.]example",
            *(f"Explained: apps/app{number} -> api{number}.known[.]example" for number in range(31)),
        ),
        priority=Priority.URGENT,
        written_at=NOW,
    )


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
