"""The table of verdicts, and the words that go with them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.assess.judge import assess
from tocsin.assess.settings import AssessSettings
from tocsin.destination import DestinationSettings, normalise
from tocsin.findings import Change, Findings, Gap, Lookups, PodFacts, PolicyFacts, PolicyMatch, Volume
from tocsin.model import Alert, AlertStatus, Classification, Evidence, Ground, Kind, Posture, Subject, Verdict
from tocsin.report import Assessment

NOW = datetime(2026, 11, 22, 14, 13, tzinfo=UTC)
NAME = "files.paste-drop.example"
ENCODED = "0a1b2c3d4e5f" * 4 + ".x.example"
POD = "recyclarr-29788325-vfgx7"
SUBJECT = Subject("", "media", "recyclarr", (POD,))
LISTED = ("github.com", "api.github.com", "raw.githubusercontent.com", "codeload.github.com")
LOOKUPS = Lookups(
    domain="paste-drop.example",
    names=(NAME,),
    pods=(POD,),
    first_asked_at=NOW - timedelta(minutes=11),
    last_asked_at=NOW,
    lookups=12,
    neighbours=(),
    watched_for=timedelta(days=14),
)
RELEASE = Change(
    "def", NOW - timedelta(hours=2, minutes=11), "renovate", True, "feat: update", 11999, ("7.4.1 -> 7.5.0",)
)
POLICY_CHANGE = Change("abc", NOW - timedelta(days=41), "me", False, "toEntities world for canonical names", 11533)
POLICY = PolicyMatch("recyclarr-allow", "media", "p.yaml", allows={NAME: "world:443"}, changes=(POLICY_CHANGE,))


def ago(**units: float) -> datetime:
    return NOW - timedelta(**units)


def classed(posture: Posture, *expected: str) -> Classification:
    return Classification(posture, (Evidence("apps.yaml", f"recyclarr: {posture.value}"),), expected=expected)


def alert(**annotations: str) -> Alert:
    return Alert(AlertStatus.FIRING, {"alertname": "A"}, annotations, ago(minutes=10), None, "", "14dbf60f7d6a80e1")


def novel(
    *names: str,
    classification: Classification | None = None,
    findings: Findings | None = None,
    subject: Subject = SUBJECT,
) -> Assessment:
    destinations = tuple(normalise(name, DestinationSettings()) for name in names or (NAME,))
    return assess(
        Kind.NOVEL,
        subject,
        destinations,
        classification or classed(Posture.BOUNDED),
        findings or Findings(),
        alert(),
        NOW,
        AssessSettings(),
    )


def found(policy: PolicyFacts | None = None, pods: PodFacts | None = None, **lookups: Any) -> Findings:
    return Findings({LOOKUPS.domain: replace(LOOKUPS, **lookups)}, policy=policy, pods=pods)


def changed(*what: str, **age: float) -> PolicyFacts:
    change = Change("abc", ago(**age), "me", False, "open it", what=what)
    return PolicyFacts((replace(POLICY, changes=(change,)),))


NAMED = PolicyFacts((replace(POLICY, allows={NAME: f"toFQDNs {NAME}"}, named=(NAME,)),))
RELEASED = PolicyFacts((POLICY,), (RELEASE,))
COMPONENT_CHANGED = PolicyFacts((POLICY,), changes=(Change("fed", ago(hours=3), "Kim", False, "Add a sidecar", 12),))
PROVEN_INSIDE = Classification(
    Posture.LAN_ONLY, (Evidence("rules of recyclarr-allow", "no rule leads outside"),), ground=Ground.STRUCTURE
)
EARLIER: dict[str, Any] = {"earlier_pods": ("recyclarr-29788000-aaaaa",), "earlier_at": ago(minutes=31)}


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        # 1: the operator listed it
        ({"classification": classed(Posture.BOUNDED, NAME)}, Verdict.EXPECTED),
        ({"classification": classed(Posture.LAN_ONLY, "**.paste-drop.example")}, Verdict.EXPECTED),
        # 2: imitation, tunnel
        ({"names": ["githud.com"], "classification": classed(Posture.BOUNDED, "github.com")}, Verdict.SUSPICIOUS),
        ({"names": ["githud.com"], "classification": classed(Posture.UNBOUNDED, "github.com")}, Verdict.SUSPICIOUS),
        ({"names": [ENCODED], "classification": classed(Posture.UNBOUNDED)}, Verdict.SUSPICIOUS),
        # 3: no business outside
        ({"classification": classed(Posture.LAN_ONLY)}, Verdict.SUSPICIOUS),
        ({"classification": classed(Posture.LAN_ONLY), "findings": found(**EARLIER)}, Verdict.SUSPICIOUS),
        ({"classification": PROVEN_INSIDE}, Verdict.SUSPICIOUS),
        ({"classification": PROVEN_INSIDE, "findings": found(**EARLIER)}, Verdict.EXPLAINED),
        # 4: the policy names it
        ({"findings": found(NAMED)}, Verdict.EXPECTED),
        ({"names": [NAME, "b.paste-drop.example"], "findings": found(NAMED)}, Verdict.UNEXPLAINED),
        # 5: stays inside
        ({"names": ["nas.lan"], "classification": classed(Posture.LAN_ONLY)}, Verdict.EXPECTED),
        ({"names": ["nas.lan"], "classification": classed(Posture.BOUNDED)}, Verdict.EXPLAINED),
        # 6: unbounded
        ({"classification": classed(Posture.UNBOUNDED)}, Verdict.EXPECTED),
        ({"names": ["*"], "classification": classed(Posture.UNBOUNDED)}, Verdict.EXPECTED),
        # 7: a rollout
        ({"findings": found(**EARLIER)}, Verdict.EXPLAINED),
        ({"classification": classed(Posture.UNKNOWN), "findings": found(**EARLIER)}, Verdict.EXPLAINED),
        # 8: others ask as well
        ({"findings": found(neighbours=("a/b", "c/d", "e/f"))}, Verdict.EXPLAINED),
        ({"findings": found(neighbours=("a/b", "c/d"))}, Verdict.UNEXPLAINED),
        # 9: the policy was opened for it
        ({"findings": found(changed(f"+ toFQDNs {NAME}", hours=2))}, Verdict.EXPLAINED),
        ({"findings": found(changed("+ toFQDNs *.paste-drop.example", hours=2))}, Verdict.EXPLAINED),
        ({"findings": found(changed(f"+ toFQDNs {NAME}", hours=25))}, Verdict.UNEXPLAINED),
        ({"findings": found(changed(f"+ toFQDNs {NAME}", minutes=5))}, Verdict.UNEXPLAINED),
        ({"findings": found(changed(f"- toFQDNs {NAME}", hours=2))}, Verdict.UNEXPLAINED),
        ({"findings": found(changed("+ world:443", hours=2))}, Verdict.UNEXPLAINED),
        # 10: between, and something changed just before
        ({"classification": classed(Posture.BETWEEN), "findings": found(RELEASED)}, Verdict.EXPLAINED),
        ({"classification": classed(Posture.BETWEEN), "findings": found(changed("x", hours=2))}, Verdict.EXPLAINED),
        ({"classification": classed(Posture.BETWEEN), "findings": found(changed("x", hours=26))}, Verdict.UNEXPLAINED),
        ({"classification": classed(Posture.BETWEEN), "findings": found(COMPONENT_CHANGED)}, Verdict.EXPLAINED),
        ({"findings": found(COMPONENT_CHANGED)}, Verdict.UNEXPLAINED),
        ({"classification": classed(Posture.BETWEEN)}, Verdict.UNEXPLAINED),
        # 11: anything else
        ({"findings": found(RELEASED)}, Verdict.UNEXPLAINED),
        ({"classification": classed(Posture.UNKNOWN), "findings": found(RELEASED)}, Verdict.UNEXPLAINED),
        ({"findings": found(denied=True)}, Verdict.UNEXPLAINED),
        ({"findings": Findings(gaps=(Gap("Prometheus", "timed out after 5 s"),))}, Verdict.UNEXPLAINED),
        ({"classification": classed(Posture.UNKNOWN)}, Verdict.UNEXPLAINED),
        ({"names": ["*.paste-drop.example"], "classification": classed(Posture.BOUNDED, NAME)}, Verdict.UNEXPLAINED),
        ({"subject": Subject("", "media", None, ("debug",))}, Verdict.UNEXPLAINED),
    ],
)  # fmt: skip
def test_verdict_on_new_names(case: dict[str, Any], verdict: Verdict) -> None:
    assert novel(*case.pop("names", []), **case).verdict is verdict


def test_a_bounded_app_asks_for_a_name_nobody_explains() -> None:
    assert novel(classification=classed(Posture.BOUNDED, *LISTED), findings=found(RELEASED)) == Assessment(
        Verdict.UNEXPLAINED,
        "recyclarr is bounded and this name is not among its 4 expected destinations.",
        (
            f"first asked 14:02 UTC, 11 min ago; 12 lookups, 1 pod ({POD})",
            "no pod of recyclarr asked for it in 14 d; no other workload asks for paste-drop[.]example",
            "policy recyclarr-allow lets it through: world:443",
            'policy unchanged for 41 d (#11533, "toEntities world for canonical names")',
            "recyclarr 7.4.1 -> 7.5.0 2 h before (#11999, renovate)",
        ),
        "look at the pod, or accept the name if 7.5.0 explains it.",
    )


def test_a_rollout_is_no_news() -> None:
    release = replace(RELEASE, at=ago(minutes=20), what=("image 4.0.9 -> 4.0.10",))
    findings = found(PolicyFacts((), (release,)), PodFacts({POD: ago(minutes=12)}), lookups=1, **EARLIER)
    said = novel(findings=findings)
    assert said.headline == (
        "Another recyclarr pod asked for it 31 min ago; this pod is new (rollout 12 min ago, image 4.0.9 -> 4.0.10)."
    )
    assert not any("4.0.10" in reason or "asked for it" in reason for reason in said.reasons)
    assert said.next_step == ""


@pytest.mark.parametrize(
    ("watched_for", "words"),
    [
        (timedelta(days=30), "no pod of recyclarr asked for it in 14 d"),
        (timedelta(days=13, hours=23), "no pod of recyclarr asked for it in 13 d of data"),
        (timedelta(hours=10, minutes=30), "no pod of recyclarr asked for it in 10 h of data"),
        (None, "how long that was watched is not known"),
    ],
)
def test_no_longer_past_is_claimed_than_was_watched(watched_for: timedelta | None, words: str) -> None:
    assert any(words in reason for reason in novel(findings=found(watched_for=watched_for)).reasons)


def test_what_was_not_looked_up_is_not_said() -> None:
    assert "no other workload" not in " ".join(novel(findings=found(neighbours=None)).reasons)
    nothing = Findings(gaps=(Gap("Prometheus", "timed out"),))
    assert novel(findings=nothing).reasons == (f"alert since 14:03 UTC, 10 min ago; 1 pod ({POD})",)


@pytest.mark.parametrize("case", [{}, {"findings": found(**EARLIER)}, {"names": ["nas.lan"]}, {"names": [ENCODED]}])
def test_a_workload_that_is_not_classified_is_said_to_be_so_once(case: dict[str, Any]) -> None:
    said = novel(*case.pop("names", []), classification=classed(Posture.UNKNOWN), **case)
    assert [said.headline, *said.reasons].count("recyclarr is not classified (apps.yaml)") <= 1
    assert "recyclarr is not classified (apps.yaml)" in " ".join((said.headline, *said.reasons))


def test_who_says_that_a_workload_is_bounded_unless_it_is_a_list() -> None:
    evidence = (Evidence("rules of x", "it may reach a.example"),)
    said = novel(classification=Classification(Posture.BOUNDED, evidence, ground=Ground.STRUCTURE))
    assert said.headline == "recyclarr is bounded (rules of x), and nothing explains this name."
    listed = replace(classed(Posture.BOUNDED), ground=Ground.LISTED)
    assert novel(classification=listed).headline == "recyclarr is bounded, and nothing explains this name."


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (PolicyFacts(), "no policy found that selects recyclarr"),
        (
            PolicyFacts(evidence="unresolved: nothing in media is called recyclarr"),
            "not found in the repository: nothing in media is called recyclarr",
        ),
        (PolicyFacts(siblings=("recyclarr-web",)), "no policy found that selects recyclarr, unlike recyclarr-web"),
        (
            PolicyFacts((POLICY,), siblings=("recyclarr-web",)),
            "recyclarr has no policy of its own, unlike recyclarr-web",
        ),
        (
            PolicyFacts((POLICY,), unrestricted=True),
            "no policy restricts the egress of recyclarr (recyclarr-allow)",
        ),
        (
            PolicyFacts((replace(POLICY, allows={}),), remarks={NAME: "the denial of world blocks it"}),
            "the denial of world blocks it",
        ),
        (
            PolicyFacts((replace(POLICY, sure=False),)),
            "policy recyclarr-allow (most likely its own) lets it through: world:443",
        ),
        (
            PolicyFacts((POLICY,), app="recyclarr", deployed=False),
            "the repository declares recyclarr, but nothing there deploys it",
        ),
        (COMPONENT_CHANGED, 'recyclarr changed 2 h before (#12, "Add a sidecar")'),
        (
            replace(RELEASED, released_total=14, released_since=ago(days=182)),
            "recyclarr 7.4.1 -> 7.5.0 2 h before (#11999, renovate, one bump every 13 d)",
        ),
        (PolicyFacts((replace(POLICY, allows={}),)), "no rule lets it through (recyclarr-allow)"),
        (NAMED, f"policy recyclarr-allow names it: toFQDNs {NAME.replace('.example', '[.]example')}"),
        (changed("+ world:443", hours=3), "policy changed 3 h ago: + world:443 (abc, me)"),
        (PolicyFacts((), (replace(RELEASE, at=ago(days=9)),)), "nothing deployed in 9 d"),
        (PolicyFacts((), (replace(RELEASE, pull_request=None, what=()),)), 'recyclarr "feat: update" 2 h before'),
    ],
)
def test_what_is_said_of_policies_and_releases(facts: PolicyFacts, words: str) -> None:
    assert any(reason.startswith(words) for reason in novel(findings=found(facts)).reasons)


@pytest.mark.parametrize(
    ("neighbours", "words"),
    [
        (("a/b",), "1 other workload asks for paste-drop[.]example: a/b"),
        (("a/b", "c/d", "e/f", "g/h"), "4 other workloads ask for paste-drop[.]example: a/b, c/d, e/f and 1 more"),
    ],
)
def test_neighbours_are_named(neighbours: tuple[str, ...], words: str) -> None:
    assert any(words in reason for reason in novel(findings=found(neighbours=neighbours)).reasons)


@pytest.mark.parametrize(
    ("case", "headline"),
    [
        ({}, "recyclarr is bounded, and nothing explains this name."),
        ({"classification": classed(Posture.UNKNOWN)}, "recyclarr is not classified (apps.yaml), and nothing explains"),
        ({"subject": Subject("", "media", None)}, "Which workload asked could not be told, and nothing explains"),
        ({"classification": classed(Posture.UNBOUNDED)}, "recyclarr is unbounded by design (apps.yaml); nothing about"),
        ({"classification": classed(Posture.LAN_ONLY)}, "recyclarr is meant to stay on the own network, and this name"),
        ({"findings": found(NAMED)}, "The policy of recyclarr names it."),
        ({"findings": found(neighbours=("a/b", "c/d", "e/f"))}, "3 other workloads ask for paste-drop[.]example as"),
        ({"findings": found(changed(f"+ toFQDNs {NAME}", hours=2))}, "The policy was opened for it 2 h ago."),
    ],
)  # fmt: skip
def test_headlines(case: dict[str, Any], headline: str) -> None:
    assert novel(**case).headline.startswith(headline)


def test_several_names_of_one_domain_are_listed() -> None:
    said = novel(*(f"{letter}.paste-drop.example" for letter in "abcd"))
    assert said.headline == "recyclarr is bounded, and nothing explains these 4 names."
    assert said.reasons[0].endswith("a.paste-drop[.]example, b.paste-drop[.]example, c.paste-drop[.]example and 1 more")


def test_sources_that_disagree_are_shown() -> None:
    classification = replace(classed(Posture.BOUNDED), conflicts=(Evidence("apps.yaml", "*arr: unbounded"),))
    assert "conflict: apps.yaml says *arr: unbounded" in novel(classification=classification).reasons


VOLUME = Volume(
    rate=18.4e6,
    avg_24h=164e3,
    avg_7d=150e3,
    sigma_7d=50e3,
    multiple=112.2,
    sent=11.02e9,
    since_at=NOW.replace(hour=13, minute=40),
    new_names=("backup-eu.example.net",),
    baseline_for=timedelta(days=6, hours=4),
)
NODE_RED = Subject("", "home", "node-red")
NOBODY = {"example.net": Lookups("example.net", neighbours=())}


def volume(
    figures: Volume | None = VOLUME,
    posture: Posture = Posture.UNBOUNDED,
    lookups: dict[str, Lookups] | None = None,
    policy: PolicyFacts | None = None,
    subject: Subject = NODE_RED,
) -> Assessment:
    findings = Findings(lookups or {}, figures, policy)
    classification = Classification(posture, (Evidence("apps.yaml", f"node-red: {posture.value}"),))
    return assess(Kind.VOLUME, subject, (), classification, findings, alert(), NOW, AssessSettings())


WEEK_OLD = replace(VOLUME, rate=290e3, multiple=1.8, baseline_for=timedelta(days=7))


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        # 1: far above its day, and a name of its own
        ({"lookups": NOBODY}, Verdict.SUSPICIOUS),
        ({"lookups": NOBODY, "posture": Posture.BOUNDED}, Verdict.SUSPICIOUS),
        ({"lookups": {"example.net": Lookups("example.net", neighbours=("a/b",))}}, Verdict.UNEXPLAINED),
        ({"lookups": {"example.net": Lookups("example.net")}}, Verdict.UNEXPLAINED),
        ({}, Verdict.UNEXPLAINED),
        ({"figures": replace(VOLUME, multiple=9.9), "lookups": NOBODY}, Verdict.UNEXPLAINED),
        ({"figures": replace(VOLUME, multiple=None), "lookups": NOBODY}, Verdict.UNEXPLAINED),
        # 2: usual for its week
        ({"figures": WEEK_OLD}, Verdict.EXPLAINED),
        ({"figures": WEEK_OLD, "posture": Posture.BOUNDED}, Verdict.EXPLAINED),
        ({"figures": replace(WEEK_OLD, baseline_for=timedelta(days=6))}, Verdict.UNEXPLAINED),
        ({"figures": replace(WEEK_OLD, rate=310e3)}, Verdict.UNEXPLAINED),
        # 3: unbounded and calm
        ({"figures": replace(VOLUME, multiple=3.0, new_names=())}, Verdict.EXPECTED),
        ({"figures": replace(VOLUME, multiple=3.0, new_names=()), "posture": Posture.BETWEEN}, Verdict.UNEXPLAINED),
        ({"figures": replace(VOLUME, multiple=3.0, new_names=None)}, Verdict.UNEXPLAINED),
        # 4: anything else
        ({"figures": replace(VOLUME, new_names=())}, Verdict.UNEXPLAINED),
        ({"figures": None}, Verdict.UNEXPLAINED),
    ],
)
def test_verdict_on_a_volume(case: dict[str, Any], verdict: Verdict) -> None:
    assert volume(**case).verdict is verdict


def test_a_volume_far_above_its_day() -> None:
    rule = PolicyMatch("nr", "home", "f", allows={"x": "world:443"}, changes=(replace(POLICY_CHANGE, at=ago(days=63)),))
    said = volume(lookups=NOBODY, policy=PolicyFacts((rule,), (replace(RELEASE, at=ago(days=9)),)))
    assert said == Assessment(
        Verdict.SUSPICIOUS,
        "18.4 MB/s over 10 min against 164 kB/s on average over 24 h; 11 GB since 13:40 UTC. Baseline 6 d 4 h old.",
        (
            "in the same window: 1 new name, backup-eu.example[.]net (no other workload asks for it)",
            "node-red is unbounded by design (apps.yaml), world:443",
            'nothing deployed in 9 d; policy unchanged for 63 d (#11533, "toEntities world for canonical names")',
        ),
        "`hubble observe --from-pod home/node-red --since 1h`, then decide.",
    )


def test_an_average_is_no_older_than_its_baseline() -> None:
    said = volume(replace(VOLUME, baseline_for=timedelta(hours=10)))
    assert "on average over 10 h;" in said.headline
    assert said.headline.endswith("Baseline 10 h old.")
    assert "not known" in volume(replace(VOLUME, baseline_for=None)).headline


def test_a_volume_without_figures_says_so() -> None:
    said = volume(None)
    assert said.headline == "node-red sends more than it uses to; how much is not known."
    assert said.reasons == ("node-red is unbounded by design (apps.yaml)",)


def test_a_hostile_workload_never_reaches_a_shell() -> None:
    said = volume(subject=Subject("", "home", "x; rm -rf `pwd`"))
    assert said.next_step == "look at what the pod sends in Hubble, then decide."


@pytest.mark.parametrize(
    ("annotations", "headline"),
    [
        ({"summary": "Pod is crash looping.", "description": "long"}, "Pod is crash looping."),
        ({"summary": " ", "message": "old\nstyle"}, "old style"),
        ({"description": "see https://evil.com @here"}, "see hxxps[://]evil[.]com [@]here"),
        ({}, "An alert without a summary."),
    ],
)
def test_another_alert_is_forwarded_in_its_own_words(annotations: dict[str, str], headline: str) -> None:
    said = assess(
        Kind.OTHER, SUBJECT, (), classed(Posture.UNKNOWN), Findings(), alert(**annotations), NOW, AssessSettings()
    )
    assert said == Assessment(Verdict.UNJUDGED, headline)


def test_a_novelty_without_a_name_is_forwarded() -> None:
    said = assess(
        Kind.NOVEL, SUBJECT, (), classed(Posture.BOUNDED), Findings(), alert(summary="s"), NOW, AssessSettings()
    )
    assert said.verdict is Verdict.UNJUDGED


HOSTILE = st.text(max_size=30) | st.sampled_from(
    ["@everyone", "https://evil.com", "a\nb", "<script>", "\u202e", "\ud800"]
)


@given(HOSTILE, HOSTILE, HOSTILE, st.sampled_from(list(Posture)), st.booleans())
def test_every_sentence_is_inert(one: str, two: str, three: str, posture: Posture, rolled_out: bool) -> None:
    change = Change(one, ago(hours=1), two, False, three, what=(one, two))
    match = PolicyMatch(one, two, three, allows={NAME: three}, changes=(change,))
    lookups = replace(LOOKUPS, pods=(one,), names=(two,), neighbours=(two, three), earlier_pods=(one,) * rolled_out)
    findings = Findings({LOOKUPS.domain: lookups}, policy=PolicyFacts((match,), (change,)))
    classification = Classification(posture, (Evidence(one, two),), conflicts=(Evidence(three, one),))
    subject = Subject("", one, two, (three,))
    for said in (
        novel(classification=classification, findings=findings, subject=subject),
        volume(replace(VOLUME, new_names=(one, two)), subject=subject, policy=findings.policy),
    ):
        for sentence in (said.headline, said.next_step, *said.reasons):
            sentence.encode("utf-8")
            assert len(sentence.splitlines()) <= 1
            assert "@" not in sentence.replace("[@]", "")
            assert "://" not in sentence.replace("[://]", "")
            assert "evil.com" not in sentence
