"""A small GitOps repository of the demonstration, with policies, releases, and a history that ends minutes ago."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

RENOVATE = ("renovate[bot]", "29139614+renovate[bot]@users.noreply.github.com")
OPERATOR = ("Kim", "kim@home.example")

_POLICY = """\
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: {app}-allow
  namespace: {namespace}
spec:
  endpointSelector:
    matchLabels:
      app.kubernetes.io/name: {app}
  egress:
    - toEndpoints:
        - matchLabels:
            k8s:io.kubernetes.pod.namespace: kube-system
            k8s-app: kube-dns
      toPorts:
        - ports: [{{port: "53", protocol: ANY}}]
          rules: {{dns: [{{matchPattern: "*"}}]}}
{egress}"""
_WORLD = """\
    - toEntities: [world]
      toPorts:
        - ports: [{port: "443", protocol: TCP}]
"""
_NAMES = """\
    - toFQDNs: [{names}]
      toPorts:
        - ports: [{{port: "443", protocol: TCP}}]
"""
_RELEASE = """\
---
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: {app}
spec:
  values:
    controllers:
      {app}:
        containers:
          app:
            image:
              repository: ghcr.io/home-operations/{app}
              tag: {tag}
"""


def build(directory: Path, now: datetime | None = None) -> Path:
    """Writes the repository; its newest commit is 12 minutes before `now`. Needs the git command."""
    now = now or datetime.now(UTC)
    _git(directory, "init", "--quiet", "--initial-branch=main")
    apps = directory / "kubernetes" / "apps"

    def put(namespace: str, app: str, *, tag: str = "", names: tuple[str, ...] | None = None) -> None:
        folder = apps / namespace / app / "app"
        folder.mkdir(parents=True, exist_ok=True)
        if tag:
            (folder / "helmrelease.yaml").write_text(_RELEASE.format(app=app, tag=tag))
        if names is not None:
            entries = ", ".join(f"{{matchName: {name}}}" for name in names)
            egress = _NAMES.format(names=entries) if names else _WORLD
            text = _POLICY.format(app=app, namespace=namespace, egress=egress)
            (folder / "ciliumnetworkpolicy.yaml").write_text(text)

    def commit(subject: str, ago: timedelta, author: tuple[str, str]) -> None:
        at = (now - ago).isoformat()
        _git(directory, "add", ".")
        _git(
            directory, "-c", f"user.name={author[0]}", "-c", f"user.email={author[1]}",
            "commit", "--quiet", "--allow-empty", "-m", subject, when=at,
        )  # fmt: skip

    put("media", "recyclarr", tag="7.4.0", names=("api.github.com", "raw.githubusercontent.com"))
    put("media", "sonarr", tag="4.0.8", names=())
    put("home", "node-red", tag="4.0.1", names=())
    put("home", "home-assistant", tag="2026.10.1", names=())
    commit("feat(cilium): default deny for every app (#11201)", timedelta(days=63), OPERATOR)
    put("media", "recyclarr", names=())
    commit("fix(recyclarr): toEntities world for canonical names (#11533)", timedelta(days=41), OPERATOR)
    put("media", "recyclarr", tag="7.4.1")
    commit("fix(container): update image recyclarr ( 7.4.0 → 7.4.1 ) (#11790)", timedelta(days=20), RENOVATE)
    put("media", "sonarr", tag="4.0.9")
    commit("fix(container): update image sonarr ( 4.0.8 → 4.0.9 ) (#11802)", timedelta(days=16), RENOVATE)
    put("media", "recyclarr", tag="7.5.0")
    commit("feat(container): update image recyclarr ( 7.4.1 → 7.5.0 ) (#11999)", timedelta(hours=2), RENOVATE)
    put("media", "sonarr", tag="4.0.10")
    commit("fix(container): update image sonarr ( 4.0.9 → 4.0.10 ) (#12003)", timedelta(minutes=12), RENOVATE)
    return directory


def _git(directory: Path, *arguments: str, when: str = "") -> None:
    dates = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when} if when else {}
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **dates}
    subprocess.run(["git", "-C", str(directory), *arguments], check=True, env=environment, capture_output=True)
