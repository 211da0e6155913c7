"""Builders of throw-away git repositories in the shapes that GitOps repositories have."""

import os
import random
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

STARTED_AT = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
POLICY_FILE = "kubernetes/apps/media/recyclarr/app/networkpolicy.yaml"
RELEASE_FILE = "kubernetes/apps/media/recyclarr/app/helmrelease.yaml"
COMPONENT = "kubernetes/apps/media/recyclarr"


def policy(name: str, *egress: str, app: str | None = None, comment: str = "", namespace: str | None = None) -> str:
    """A CiliumNetworkPolicy; each of `egress` is one entry in YAML flow style."""
    where = f"  namespace: {namespace}\n" if namespace else ""
    entries = "".join(f"    - {entry}\n" for entry in egress)
    return (
        f"{f'# {comment}{chr(10)}' if comment else ''}apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n"
        f"metadata:\n  name: {name}\n{where}spec:\n  endpointSelector:\n    matchLabels:\n"
        f"      app.kubernetes.io/name: {app or name}\n  egress:\n{entries}"
    )


FQDN = "{toFQDNs: [{matchName: api.example.com}], toPorts: [{ports: [{port: '443', protocol: TCP}]}]}"
WORLD = "{toEntities: [world], toPorts: [{ports: [{port: '443', protocol: TCP}]}]}"


def release(tag: str) -> str:
    """A HelmRelease with one image."""
    return (
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: recyclarr\n"
        "spec:\n  values:\n    image:\n"
        f"      repository: ghcr.io/recyclarr/recyclarr\n      tag: {tag}@sha256:{tag.encode().hex()}\n"
    )


BUMPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("image: {repository: a/b, tag: 1.2}\n", "image: {repository: a/b, tag: 1.3}\n", ("1.2 -> 1.3",)),
    ("x:\n  - {image: a/b:1.2}\n", "x:\n  - {image: a/b:1.3}\n", ("1.2 -> 1.3",)),
    ("spec:\n  ref: {tag: v1}\n", "spec:\n  ref: {tag: v2}\n", ("v1 -> v2",)),
    ("spec:\n  ref:\n    tag: 1.0.0\n    digest: sha256:aa\n", "spec:\n  ref:\n    tag: 1.1.0\n    digest: sha256:bb\n",
     ("1.0.0 -> 1.1.0",)),
    ("ref: {digest: sha256:aaaaaaaaaa}\n", "ref: {digest: sha256:bbbbbbbbbb}\n", ("sha256:aaaaaaa -> sha256:bbbbbbb",)),
    ("tag: 1.2@sha256:aa\n", "tag: 1.2@sha256:bb\n", ("1.2 (new digest)",)),
    ("images:\n  - name: a/b\n    newTag: 1.2\n", "images:\n  - name: a/b\n    newTag: '1.3'\n", ("1.2 -> 1.3",)),
    ("chart:\n  spec:\n    version: 1.0.0\n", "chart:\n  spec:\n    version: 1.1.0\n", ("1.0.0 -> 1.1.0",)),
    ("images:\n  - image: a/b:1\n  - image: c/d:1\n", "images:\n  - image: a/b:2\n  - image: c/d:3\n",
     ("b 1 -> 2", "d 1 -> 3")),
    ("all:\n  - ghcr.io/a/b:1.0\n", "all:\n  - ghcr.io/a/b:1.1\n", ("1.0 -> 1.1",)),
    ("imageName: ghcr.io/a/pg:16.3\n", "imageName: ghcr.io/a/pg:16.4\n", ("16.3 -> 16.4",)),
    ("image: a/b:1\n", "image: evil.example/b:1\n", ("a/b:1 -> evil.example/b:1",)),
)  # fmt: skip
"""A file before and after, and what is said of it."""


@dataclass
class GitRepo:
    """A work tree whose clock moves an hour with every commit."""

    path: Path
    now: datetime = STARTED_AT

    def git(self, *arguments: str, **environment: str) -> str:
        """Runs git with a fixed identity and date, without the configuration of this machine."""
        date = self.now.isoformat()
        variables = {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_AUTHOR_NAME": "Ada Lovelace",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "GitHub",
            "GIT_COMMITTER_EMAIL": "noreply@github.com",
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_DATE": date,
            "PATH": os.environ["PATH"],
        }
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=variables | environment, capture_output=True, check=True
        )
        return done.stdout.decode(errors="replace").strip()

    def commit(self, subject: str, files: dict[str, str | None], author: str = "Ada Lovelace <ada@example.com>") -> str:
        """Writes (or, for None, deletes) files and commits them; returns the commit id."""
        for name, content in files.items():
            file = self.path / name
            if content is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(content)
        return self._commit(subject, author)

    def _commit(self, subject: str, author: str) -> str:
        self.now += timedelta(hours=1)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--author={author}", f"--message={subject}")
        return self.git("rev-parse", "HEAD")

    def merge(self, branch: str, subject: str) -> str:
        """Merges a branch with a merge commit, as GitHub's green button does."""
        self.now += timedelta(hours=1)
        self.git("merge", "--quiet", "--no-ff", branch, f"--message={subject}")
        return self.git("rev-parse", "HEAD")


def empty(path: Path) -> GitRepo:
    """A repository without commits, its branch called main."""
    path.mkdir(parents=True, exist_ok=True)
    repo = GitRepo(path)
    repo.git("init", "--quiet", "--initial-branch=main", "--template=")
    return repo


def recyclarr(path: Path) -> GitRepo:
    """One component whose policy was created, opened to the world, commented, merged through a branch; and bumped."""
    repo = empty(path)
    repo.commit(
        "Add recyclarr",
        {
            POLICY_FILE: policy("recyclarr-allow", FQDN, app="recyclarr"),
            RELEASE_FILE: release("7.4.1"),
            "kubernetes/apps/media/sonarr/app/netpol.yaml": policy("sonarr", WORLD),
            "kubernetes/apps/home/broken.yaml": "kind: CiliumNetworkPolicy\nspec: [unclosed\n",
            "README.md": "kind: CiliumNetworkPolicy is mentioned here\n",
        },
    )
    repo.commit(
        "toEntities world for canonical names (#11533)",
        {POLICY_FILE: policy("recyclarr-allow", WORLD, app="recyclarr")},
    )
    repo.git("checkout", "--quiet", "-b", "branch")
    repo.commit("Explain why", {POLICY_FILE: policy("recyclarr-allow", WORLD, app="recyclarr", comment="canonical")})
    repo.git("checkout", "--quiet", "main")
    repo.commit("Say more", {"README.md": "more\n"})
    repo.merge("branch", "Merge pull request #11600 from ada/branch")
    repo.commit(
        "feat(container): update recyclarr (#11999)",
        {RELEASE_FILE: release("7.5.0")},
        author="renovate[bot] <29139614+renovate[bot]@users.noreply.github.com>",
    )
    return repo


def tangled(path: Path, seed: int, commits: int = 60) -> GitRepo:
    """A history of branches and merges, some of which take a file as one side had it; the same for the same seed.

    Its files are `a/1.yaml`, `a/2.yaml`, `b/1.yaml` and `b/c/1.yaml`.
    """
    repo = empty(path)
    chance = random.Random(seed)
    files = ("a/1.yaml", "a/2.yaml", "b/1.yaml", "b/c/1.yaml")
    states: list[dict[str, str]] = [{}]
    stream = ""
    for number in range(1, commits + 1):
        parents = [0] if number == 1 else [number - 1]
        if number > 4 and chance.random() < 0.5:
            parents[0] = chance.randrange(number - 4, number)
        if number > 4 and chance.random() < 0.35:
            parents.append(chance.choice([each for each in range(number - 4, number) if each != parents[0]]))
        sides = {name: states[chance.choice(parents)].get(name) for name in files}
        state = {name: text for name, text in sides.items() if text is not None}
        if len(parents) == 1 or chance.random() < 0.2:
            name = chance.choice(files)
            state[name] = policy(name[0], f"{{toFQDNs: [{{matchName: n{chance.randrange(3)}.example.com}}]}}")
        states.append(state)
        merge = len(parents) > 1 and chance.random() < 0.7
        said = f"Merge pull request #{number} from x" if merge else f"Change {number}"
        at = int(STARTED_AT.timestamp()) + number * 60
        stream += f"commit refs/heads/main\nmark :{number}\ncommitter Ada <a@b> {at} +0000\ndata {len(said)}\n{said}\n"
        stream += "".join(
            f"{word} :{parent}\n" for word, parent in zip(("from", "merge"), parents, strict=False) if parent
        )
        stream += "deleteall\n"
        for name, text in state.items():
            stream += f"M 100644 inline {name}\ndata {len(text)}\n{text}\n"
    subprocess.run(["git", "fast-import", "--quiet", "--force"], cwd=path, input=stream.encode(), check=True)
    repo.git("reset", "--quiet", "--hard")
    return repo


def moved_apart(path: Path) -> GitRepo:
    """One component with a policy, a release and a note, which change together, apart, and are renamed."""
    repo = GitRepo(path, now=STARTED_AT + timedelta(days=1)) if (path / ".git").exists() else empty(path)
    place = "kubernetes/apps/media/radarr"
    names = {name: f"{place}/app/{name}.yaml" for name in ("policy", "release", "note", "netpol")}
    repo.commit(
        "Add radarr (#1)",
        {names["policy"]: policy("radarr", FQDN), names["release"]: release("1.0"), names["note"]: "a: 1\n"},
    )
    repo.commit(
        "Open and update (#2)", {names["policy"]: policy("radarr", FQDN, WORLD), names["release"]: release("1.1")}
    )
    repo.commit("Note (#3)", {names["note"]: "a: 2\n"})
    repo.commit("Rename (#4)", {names["policy"]: None, names["netpol"]: policy("radarr", FQDN, WORLD)})
    repo.commit("Text (#5)", {f"{place}/README.md": "text\n"})
    return repo
