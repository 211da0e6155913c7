"""apps.yaml says what a workload's egress is meant to be; the most specific entry wins."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import apps_file
from tocsin.classify import AppEntry, AppsFile, ShippedApps, classify, is_expected
from tocsin.errors import ConfigurationError
from tocsin.model import Evidence, Ground, Posture, Statement, Subject

ROOT = Path(__file__).parents[2]
SHIPPED = apps_file.load()


def subject(label: str) -> Subject:
    namespace, _, workload = label.rpartition("/")
    return Subject("", namespace or None, workload)


def apps(*matches: str) -> AppsFile:
    """Each match with a posture in turn, so that the winner can be told."""
    postures = (Posture.BOUNDED, Posture.UNBOUNDED, Posture.BETWEEN)
    return AppsFile(
        apps=tuple(AppEntry(match=match, posture=posture) for match, posture in zip(matches, postures, strict=False))
    )


@pytest.mark.parametrize(
    ("who", "matches", "winner"),
    [
        ("home/node-red", ["*", "node-red"], "node-red"),
        ("home/node-red", ["home/*", "node-red"], "node-red"),
        ("home/node-red", ["node-red", "home/node-red"], "home/node-red"),
        ("home/node-red", ["*/node-red", "home/node-red"], "home/node-red"),
        ("home/node-red", ["node-red", "*/node-red"], "*/node-red"),
        ("home/node-red-code", ["*-code", "node-red-*", "node-red-c?de"], "node-red-c?de"),
        ("home/node-red-code", ["home/*", "*-code"], "*-code"),
        ("home/node-red-code", ["*-code", "home/*-code"], "home/*-code"),
        ("home/node-red", ["*", "h*/*", "home/*"], "home/*"),
        ("home/node-red", ["media/node-red", "node-red"], "node-red"),
        ("home/abc", ["[a]bc", "abc*"], "abc*"),
        ("home/node-red", ["node-*", "*de-red"], "*de-red"),
        ("home/ab", ["a*", "*b"], "a*"),
    ],
)
def test_the_most_specific_entry_wins(who: str, matches: list[str], winner: str) -> None:
    found = classify(subject(who), apps(*matches))
    assert [evidence.statement.split(":")[0] for evidence in found.evidence] == [winner]


def test_entries_as_specific_that_disagree_are_conflicts() -> None:
    found = classify(subject("home/ab"), apps("a*", "*b"))
    assert found.posture is Posture.BOUNDED
    assert found.conflicts == (Evidence("apps.yaml", "*b: unbounded"),)


ANNOTATED = Statement(Posture.UNBOUNDED, Ground.ANNOTATION, "annotation", "egress is unbounded")
PROVEN = Statement(Posture.BOUNDED, Ground.STRUCTURE, "rules of x", "it may reach one name")
SAID = Statement(Posture.BETWEEN, Ground.COMMENT, "comments in x", '"several"')


@pytest.mark.parametrize(
    ("listed", "shipped", "statements", "posture", "ground", "conflicts"),
    [
        (Posture.UNBOUNDED, False, [PROVEN], Posture.UNBOUNDED, Ground.LISTED, ["rules of x"]),
        (Posture.UNBOUNDED, True, [PROVEN], Posture.BOUNDED, Ground.STRUCTURE, ["list of well-known apps"]),
        (None, True, [ANNOTATED, PROVEN, SAID], Posture.UNBOUNDED, Ground.ANNOTATION, ["rules of x", "comments in x"]),
        (None, True, [SAID], Posture.BETWEEN, Ground.COMMENT, []),
        (Posture.BOUNDED, False, [PROVEN], Posture.BOUNDED, Ground.LISTED, []),
        (Posture.UNKNOWN, False, [PROVEN], Posture.BOUNDED, Ground.STRUCTURE, []),
        (None, False, [], Posture.UNKNOWN, None, []),
    ],
)
def test_the_best_evidence_decides_and_the_rest_is_not_hidden(
    listed: Posture | None,
    shipped: bool,
    statements: list[Statement],
    posture: Posture,
    ground: Ground | None,
    conflicts: list[str],
) -> None:
    entries = (AppEntry(match="x", posture=listed),) if listed else ()
    found = classify(subject("n/x"), (ShippedApps if shipped else AppsFile)(apps=entries), statements)
    assert (found.posture, found.ground) == (posture, ground)
    assert [conflict.source for conflict in found.conflicts] == conflicts


def test_the_entry_is_carried_over() -> None:
    entry = AppEntry(match="recyclarr", posture=Posture.BOUNDED, expected=("GitHub.com.",), note="guides")
    found = classify(subject("media/recyclarr"), AppsFile(apps=(entry,)))
    assert (found.expected, found.note) == (("github.com",), "guides")
    assert found.evidence == (Evidence("apps.yaml", "recyclarr: bounded"),)


@pytest.mark.parametrize(
    ("who", "statement"),
    [
        (subject("home/foo"), "no entry matches home/foo"),
        (Subject("", "home", "a\nb\x00"), r"no entry matches home/a b\x00"),
        (Subject("", "home", None, ("debug",)), "the workload could not be told, so that no entry applies"),
    ],
)
def test_anything_else_is_unknown_and_says_why(who: Subject, statement: str) -> None:
    found = classify(who, apps("node-red"))
    assert (found.posture, found.evidence) == (Posture.UNKNOWN, (Evidence("apps.yaml", statement),))


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("api.x.com", "api.x.com", True),
        ("x.com", "api.x.com", False),
        ("api.x.com.evil.com", "api.x.com", False),
        ("apiAx.com", "api.x.com", False),
        ("w.x.com", "*.x.com", True),
        ("a.b.x.com", "*.x.com", False),
        ("x.com", "*.x.com", False),
        ("api-eu.x.com", "api-*.x.com", True),
        ("w.x.com", "**.x.com", True),
        ("a.b.x.com", "**.x.com", True),
        ("x.com", "**.x.com", False),
        ("evilx.com", "**.x.com", False),
        ("*.x.com", "*.x.com", False),
        ("*.x.com", "**.x.com", True),
        ("*", "**.com", False),
        (r"\x0a.x.com", "*.x.com", False),
        (r"\x0a.x.com", "**.x.com", False),
    ],
)
def test_expected_patterns(name: str, pattern: str, expected: bool) -> None:
    assert is_expected(name, (pattern,)) is expected


@given(st.text(), st.text(alphabet="ab*.-", min_size=1))
def test_any_name_can_be_asked_about(name: str, pattern: str) -> None:
    assert is_expected(name, (pattern,)) in (True, False)


@pytest.mark.parametrize(
    ("who", "posture"),
    [
        *[
            (who, Posture.UNBOUNDED)
            for who in (
                "home/home-assistant", "home/esphome", "home/n8n", "home/node-red", "web/searxng", "web/glance",
                "web/glance-user", "ai/open-webui", "dev/windmill", "dev/windmill-worker", "home/home-assistant-code",
                "home/node-red-code", "actions-runner-system/home-ops-runner", "dev/claude-runner",
            )
        ],
        *[
            (who, Posture.BOUNDED)
            for who in (
                "media/recyclarr", "kube/external-secrets", "kube/external-secrets-webhook", "kube/cert-manager",
                "actions-runner-system/actions-runner-controller", "arc/gha-runner-scale-set-controller",
                "actions-runner-system/actions-runner-controller-gha-rs-controller", "ai/github-mcp", "ai/immich-mcp",
                "observability/smartctl-exporter", "observability/node-exporter",
            )
        ],
        ("ai/ollama", Posture.BETWEEN),
        ("ai/comfyui", Posture.BETWEEN),
        ("media/sonarr", Posture.BETWEEN),
        ("rss/miniflux", Posture.UNBOUNDED),
        ("network/cloudflared", Posture.BOUNDED),
        ("media/wizarr", Posture.UNKNOWN),
        ("media/decoder", Posture.UNKNOWN),
    ],
)  # fmt: skip
def test_the_shipped_file(who: str, posture: Posture) -> None:
    assert classify(subject(who), SHIPPED).posture is posture


def test_the_example_for_operators_is_the_shipped_file() -> None:
    assert (ROOT / "config" / "apps.yaml").read_bytes() == apps_file.SHIPPED.read_bytes()


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("apps:\n  - match: a\n    postur: bounded\n", [":2: apps.0.posture: ", ":3: apps.0.postur: unknown key"]),
        ("apps:\n  - match: a\n    posture: loose\n", [":3: apps.0.posture: Input should be 'bounded'"]),
        ("apps:\n  - match: 'a b'\n    posture: bounded\n", [':2: apps.0.match: "a b" matches nothing']),
        ("apps:\n  - {match: a, posture: bounded, expected: ['*']}\n", [':2: apps.0.expected: "*" would expect every']),
        ("apps:\n  - {match: a, posture: bounded, expected: ['a/b']}\n", [':2: apps.0.expected: "a/b" is not a name']),
        ("apps: [\n", [":2: not YAML"]),
        ("- match: a\n", [":1: expected a mapping"]),
        ("", [": apps: Field required"]),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, mistakes: list[str]) -> None:
    path = tmp_path / "apps.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        apps_file.load(path)
    assert all(f"{path}{mistake}" in str(refused.value) for mistake in mistakes), str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.yaml"):
        apps_file.load(tmp_path / "gone.yaml")
