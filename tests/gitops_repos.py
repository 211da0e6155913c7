"""Builders of throw-away git repositories in the shapes that GitOps repositories have."""

import os
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
        "kind: HelmRelease\nmetadata:\n  name: recyclarr\nspec:\n  values:\n    image:\n"
        f"      repository: ghcr.io/recyclarr/recyclarr\n      tag: {tag}@sha256:{tag.encode().hex()}\n"
    )


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
