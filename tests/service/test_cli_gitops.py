"""`tocsin resolve` and `tocsin policies audit`: what an operator asks of a repository without a running service."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import gitops_repos
import gitops_shapes as shapes
from tocsin.cli import main

RECYCLARR = "kubernetes/apps/media/recyclarr/app/netpol.yaml"
PODS = (
    ("media", "recyclarr-29788325-vfgx7"),
    ("media", "nobody-5d7c9d8f6b-x2k4p"),
    ("media", "immich-server-5d7c9d8f6b-x2k4p"),
    ("home", "sonarr-5d7c9d8f6b-x2k4p"),
)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose first commit is everything; then a rule is opened, on a branch another one is closed."""
    made = gitops_repos.empty(tmp_path_factory.mktemp("repo"))
    made.commit("Add everything", shapes.home_ops() | {"kubernetes/apps/media/broken.yaml": "kind: Deployment\na: [\n"})
    opened = shapes.cnp(
        "recyclarr-allow",
        shapes.DNS,
        shapes.fqdn("api.github.com"),
        "# guides from GitHub\n" + shapes.WORLD,
        labels={"app.kubernetes.io/name": "recyclarr"},
    )
    made.commit("fix(recyclarr): open it (#12)", {RECYCLARR: opened})
    made.git("checkout", "--quiet", "-b", "closed")
    closed = shapes.cnp("recyclarr-allow", shapes.DNS, labels={"app.kubernetes.io/name": "recyclarr"})
    made.commit("Close it", {RECYCLARR: closed})
    made.git("checkout", "--quiet", "main")
    return made.path


def run(*arguments: str | Path, stdin: str = "") -> tuple[int, str, str]:
    result = CliRunner(env={"TOCSIN_CONFIG": ""}).invoke(main, list(map(str, arguments)), input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def resolve(repo: Path, namespace: str, pod: str, *more: str) -> Any:
    code, out, _ = run("resolve", "--repo", repo, "--namespace", namespace, "--pod", pod, "--json", *more)
    assert code == 0
    return json.loads(out)


def test_a_pod(repo: Path) -> None:
    said = resolve(repo, *PODS[0])
    assert {key: said[key] for key in ("namespace", "pod", "app", "component", "workload")} == {
        "namespace": "media",
        "pod": "recyclarr-29788325-vfgx7",
        "app": "recyclarr",
        "component": "kubernetes/apps/media/recyclarr",
        "workload": "recyclarr",
    }
    (policy,) = said["policies"]
    assert (policy["name"], policy["file"], policy["primary"]) == ("recyclarr-allow", RECYCLARR, True)
    judged = said["classification"]
    assert (judged["class"], judged["conflicts"]) == ("bounded", [])
    assert judged["evidence"][0] == {"source": "comments in recyclarr-allow", "statement": '"guides from GitHub"'}
    assert [(change["what"], change["pull_request"], change["bot"]) for change in said["history"]] == [
        (["+ world:443"], 12, False),
        (["created"], None, False),
    ]


def test_what_cannot_be_told_is_null(repo: Path) -> None:
    said = resolve(repo, *PODS[1])
    assert (said["app"], said["workload"], said["component"], said["policies"], said["history"]) == (
        None,
        None,
        None,
        [],
        [],
    )
    assert said["classification"] == {"class": "unknown", "evidence": [], "conflicts": [], "undecided": []}
    assert said["evidence"] == "unresolved: nothing in media is called nobody"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of a chart that is not known, its own policy, one for the namespace, one that may be for it, others."""
    made = gitops_repos.empty(tmp_path_factory.mktemp("shared"))
    release = (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: odd, namespace: n}\n"
        "spec: {chart: {spec: {chart: odd}}}\n"
    )
    node = shapes.cnp("nodes", shapes.WORLD, kind="CiliumClusterwideNetworkPolicy").replace("endpoint", "node")
    plain = (
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: all, namespace: n}\n"
        "spec: {podSelector: {}, policyTypes: [Egress], egress: [{}]}\n"
    )
    maybe = shapes.cnp("maybe", shapes.WORLD, namespace="n", labels={"app": "part"})
    made.commit("Add it", {"apps/odd/hr.yaml": release, "apps/odd/p.yaml": shapes.cnp("odd", namespace="n")})
    made.commit("Add all", {"netpols/all.yaml": plain, "netpols/maybe.yaml": maybe, "netpols/nodes.yaml": node})
    made.commit("Add nobody", {"netpols/nobody.yaml": shapes.cnp("nobody", namespace="n", labels={"a.example/b": "c"})})
    return made.path


def test_every_policy_that_selects_it_has_its_history(shared: Path) -> None:
    said = resolve(shared, "n", "odd-5d7c9d8f6b-x2k4p")
    assert [policy["name"] for policy in said["policies"]] == ["odd", "all"]
    assert said["possible_policies"] == [{"name": "maybe", "file": "netpols/maybe.yaml"}]
    assert [(change["subject"], change["paths"]) for change in said["history"]] == [
        ("Add all", ["netpols/all.yaml"]),
        ("Add it", ["apps/odd/p.yaml", "apps/odd"]),
    ]
    text = run("resolve", "--repo", shared, "--namespace", "n", "--pod", "odd-5d7c9d8f6b-x2k4p")[1]
    assert "all in netpols/all.yaml (NetworkPolicy)" in text
    assert "maybe in netpols/maybe.yaml may select it too" in text
    assert "created in netpols/all.yaml (" in text


def test_the_audit_names_policies_that_select_nothing(shared: Path) -> None:
    text = run("policies", "audit", "--repo", shared)[1]
    said = [line for line in text.splitlines() if "no declared workload" in line]
    assert said == ["policy that selects no declared workload: nobody in netpols/nobody.yaml"]


def test_a_root_that_does_not_exist_is_said(shared: Path) -> None:
    text = run("policies", "audit", "--repo", shared, "--root", "k8s")[1]
    assert "not read: k8s: this root does not exist" in text


def test_a_batch_keeps_its_order_and_says_the_same(repo: Path, tmp_path: Path) -> None:
    asked = "".join(json.dumps({"namespace": namespace, "pod": pod}) + "\n" for namespace, pod in PODS) + "\n"
    code, out, _ = run("resolve", "--repo", repo, "--batch", "-", stdin=asked)
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == [resolve(repo, *pod) for pod in PODS]
    (tmp_path / "pods").write_text(asked)
    assert run("resolve", "--repo", repo, "--batch", tmp_path / "pods")[1] == out


def test_another_commit_and_a_bare_repository(repo: Path, tmp_path: Path) -> None:
    bare = gitops_repos.GitRepo(tmp_path)
    bare.git("clone", "--quiet", "--bare", str(repo), str(tmp_path / "bare.git"))
    assert resolve(tmp_path / "bare.git", *PODS[0]) == resolve(repo, *PODS[0])
    closed = resolve(repo, *PODS[0], "--rev", "closed")
    assert closed["classification"]["class"] == "lan_only"
    assert len(resolve(repo, *PODS[0], "--rev", "main~1")["history"]) == 1


def test_for_a_person(repo: Path) -> None:
    code, out, _ = run("resolve", "--repo", repo, "--namespace", "media", "--pod", PODS[0][1])
    assert code == 0
    for words in (
        "app        recyclarr",
        f"recyclarr-allow in {RECYCLARR} (primary)",
        "bounded",
        "+ world:443 (#12, Ada",
    ):
        assert words in out
    code, out, _ = run("resolve", "--repo", repo, "--namespace", "media", "--pod", PODS[1][1])
    assert (code, out.splitlines()[1].strip()) == (0, "unresolved: nothing in media is called nobody")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--namespace", "media"], 2, "give --namespace and --pod, or --batch"),
        (["--namespace", "media", "--pod", "x", "--batch", "-"], 2, "give --namespace and --pod, or --batch"),
        (["--namespace", "media", "--pod", "x", "--rev", "nowhere"], 1, "bad revision 'nowhere'"),
        (["--namespace", "media", "--pod", "x", "--rev=--output=/tmp/x"], 1, "tocsin: "),
        (["--namespace", "media", "--pod", "x", "--path-template", "apps/**"], 2, "a path template has {namespace}"),
        (["--batch", "-"], 1, 'line 1 is not a JSON object with "namespace" and "pod"'),
    ],
)
def test_what_is_wrong_is_said(repo: Path, arguments: list[str], code: int, said: str) -> None:
    done, _, err = run("resolve", "--repo", repo, *arguments, stdin='{"namespace": "x"}\n')
    assert (done, said in err) == (code, True)


def test_not_a_repository(tmp_path: Path) -> None:
    assert run("policies", "audit", "--repo", tmp_path)[0::2] == (1, "tocsin: not a git repository\n")


def test_the_audit(repo: Path) -> None:
    code, out, _ = run("policies", "audit", "--repo", repo, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["files"] == {
        "toEntities": {"parsed": 5, "text": 5},
        "world": {"parsed": 5, "text": 5},
        "toFQDNs": {"parsed": 2, "text": 2},
    }
    rows = {f"{row['namespace']}/{row['workload']} {row['kind']}": row for row in found["workloads"]}
    recyclarr = rows["media/recyclarr CronJob"]
    assert (recyclarr["class"], recyclarr["fqdns"], recyclarr["ports"]) == ("bounded", ["api.github.com"], ["443"])
    assert recyclarr["undecided"] == [
        "world:443 beside 1 named destination proves nothing: it may be there for a few names or for any"
    ]
    assert rows["media/immich-machine-learning Deployment"]["class"] == "bounded"
    assert rows["media/immich-server Deployment"]["world"] == ["world:443"]
    assert rows["media/plex Deployment"]["deployed"] is False
    assert [problem.split(":")[0] for problem in found["problems"]] == ["kubernetes/apps/media/broken.yaml"]


def test_a_comment_is_no_rule(tmp_path: Path) -> None:
    repo = gitops_repos.empty(tmp_path)
    text = shapes.cnp(
        "x", shapes.fqdn("a.example"), head="# no toEntities world here, because of the canonical names\n"
    )
    repo.commit("Add", {"k/x.yaml": text, "k/d.yaml": shapes.deployment("x", namespace="n")})
    found = json.loads(run("policies", "audit", "--repo", tmp_path, "--json")[1])
    assert found["files"]["toEntities"] == {"parsed": 0, "text": 1}
    assert found["files"]["world"] == {"parsed": 0, "text": 1}


def test_the_audit_for_a_person_and_for_a_wiki(repo: Path) -> None:
    text = run("policies", "audit", "--repo", repo)[1]
    assert "files with world: 5 as parsed, 5 as plain text" in text
    assert "not read: kubernetes/apps/media/broken.yaml: " in text
    markdown = run("policies", "audit", "--repo", repo, "--markdown")[1]
    assert "| `media/recyclarr` | bounded | `world:443, toFQDNs api.github.com:443` |" in markdown
    assert run("policies", "audit", "--repo", repo, "--markdown", "--json")[0] == 2


def test_a_hostile_name_stays_in_its_cell(tmp_path: Path) -> None:
    repo = gitops_repos.empty(tmp_path)
    rule = "{toFQDNs: [{matchPattern: 'a|b`@here'}]}"
    repo.commit(
        "Add", {"k/x.yaml": shapes.cnp("x", rule, namespace="n"), "k/d.yaml": shapes.deployment("x", namespace="n")}
    )
    row = next(
        line for line in run("policies", "audit", "--repo", tmp_path, "--markdown")[1].splitlines() if "n/x" in line
    )
    assert row.replace("\\|", "").count("|") == 5
    assert row.count("`") % 2 == 0
    assert "a\\|b'@here" in row


def rendered(repo: Path, tmp_path: Path, pod: str, name: str, **apps: str) -> str:
    """What a webhook about a pod would say, with the repository and nothing else to look things up in."""
    (tmp_path / "tocsin.yaml").write_text(
        f"gitops: {{git: {{path: {repo}}}}}\n" + "apps_file: apps.yaml\n" * bool(apps)
    )
    entries = [{"match": match, "posture": posture} for match, posture in apps.items()]
    (tmp_path / "apps.yaml").write_text(json.dumps({"apps": entries}))
    labels = {"alertname": "EgressNovelDestination", "namespace": "media", "pod": pod, "destination": name}
    alert = {
        "status": "firing",
        "labels": labels,
        "startsAt": "2026-11-24T12:00:00Z",
        "fingerprint": "14dbf60f7d6a80e1",
    }
    payload = {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "x", "alerts": [alert]}
    code, out, err = run("render", "--config", tmp_path / "tocsin.yaml", "-", stdin=json.dumps(payload))
    assert (code, err) == (0, "")
    return out


def test_a_message_names_the_declared_workload_and_the_rule(repo: Path, tmp_path: Path) -> None:
    said = rendered(repo, tmp_path, "immich-machine-learning-5d7c9d8f6b-x2k4p", "cdn.huggingface.co.")
    assert "media/immich-machine-learning" in said
    assert "no rule lets it through (immich-machine-learning)" in said
    assert "immich-machine-learning is bounded (rules of immich-machine-learning)" in said


def test_a_message_shows_who_disagrees(repo: Path, tmp_path: Path) -> None:
    pod = "recyclarr-29788325-vfgx7"
    said = rendered(repo, tmp_path, pod, "files.paste-drop.example.", recyclarr="between")
    assert "recyclarr is neither bounded nor unbounded" in said
    assert 'conflict: comments in recyclarr-allow says "guides from GitHub"' in said
    assert "policy recyclarr-allow lets it through: world:443" in said
    assert '(#12, "fix(recyclarr): open it")' in said


def test_a_message_says_that_the_policy_names_it(repo: Path, tmp_path: Path) -> None:
    said = rendered(repo, tmp_path, "immich-machine-learning-5d7c9d8f6b-x2k4p", "huggingface.co.")
    assert "Expected: media/immich-machine-learning" in said
    assert "The policy of immich-machine-learning names it." in said
