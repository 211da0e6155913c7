"""A repository of 30,000 commits, 160 policies and about 1,500 YAML files, read with git, against plain `git log`.

Each part runs in a process of its own, so that memory and warm caches of one do not flatter the next.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import load

COMMITS, APPS, POLICIES, RELEASED = 30_000, 250, 160, 0.8
TEMPLATES = ("kubernetes/apps/{namespace}/{app}/**",)
STARTED = 1_650_000_000
EVERY = 4000
"""Seconds between two commits: the history covers almost four years."""
ENVIRONMENT = {**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}


def directory(app: int) -> str:
    return f"kubernetes/apps/ns{app % 20}/app{app}"


def helmrelease(app: int, number: int) -> str:
    values = "".join(f"      variable{at}: value{at}\n" for at in range(40))
    return (
        f"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: app{app}\nspec:\n"
        "  interval: 1h\n"
        f"  chartRef:\n    kind: OCIRepository\n    name: app-template\n  values:\n    controllers:\n      app{app}:\n"
        f"        containers:\n          app:\n            image:\n              repository: ghcr.io/a/app{app}\n"
        f"              tag: 1.{number}.0@sha256:{number:064x}\n    env:\n{values}"
    )


def policy(app: int, number: int) -> str:
    names = "".join(f"        - matchName: n{at}.example.com\n" for at in range(number % 5 + 3))
    return (
        f"apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\nmetadata:\n  name: app{app}\nspec:\n"
        "  endpointSelector:\n"
        f"    matchLabels:\n      app.kubernetes.io/name: app{app}\n  egress:\n    - toFQDNs:\n{names}"
        "      toPorts:\n        - ports:\n            - port: '443'\n              protocol: TCP\n"
    )


def files(app: int) -> Iterator[tuple[str, str]]:
    place = directory(app)
    yield (
        f"{place}/ks.yaml",
        (
            f"apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: app{app}\nspec:\n"
            f"  path: ./{place}/app\n  targetNamespace: ns{app % 20}\n"
        ),
    )
    yield f"{place}/app/kustomization.yaml", "kind: Kustomization\nresources:\n  - ./helmrelease.yaml\n"
    yield f"{place}/app/helmrelease.yaml", helmrelease(app, 0)
    yield f"{place}/app/secret.sops.yaml", f"kind: Secret\nmetadata:\n  name: app{app}\nsops:\n  version: 3.9.0\n"
    yield f"{place}/app/config.yaml", f"kind: ConfigMap\nmetadata:\n  name: app{app}\ndata:\n  a: b\n"
    if app < POLICIES:
        yield f"{place}/app/networkpolicy.yaml", policy(app, 0)


def stream() -> Iterator[bytes]:
    """What `git fast-import` reads: four commits of five bump an image, the others touch a policy, docs or settings."""
    first = [file for app in range(APPS) for file in files(app)]
    yield commit(0, "Begin", [*first, *((f"docs/{at}.md", "x\n") for at in range(100))])
    for number in range(1, COMMITS):
        app = number * 7919 % APPS
        if number % 10 < RELEASED * 10:
            changed = (f"{directory(app)}/app/helmrelease.yaml", helmrelease(app, number))
        elif number % 10 == 8 and number % 3 == 0:
            app = number // 30 % POLICIES
            changed = (f"{directory(app)}/app/networkpolicy.yaml", policy(app, number))
        else:
            changed = (f"docs/{number % 100}.md", f"{number}\n")
        yield commit(number, f"feat(container): update app{app} (#{number})", [changed])


def commit(number: int, subject: str, changed: list[tuple[str, str]]) -> bytes:
    said = subject.encode()
    parts = [
        f"commit refs/heads/main\ncommitter Ada <a@b> {STARTED + number * EVERY} +0000\ndata {len(said)}\n".encode()
    ]
    parts += [said, b"\n"] + ([b"from refs/heads/main^0\n"] if number >= COMMITS else [])
    for path, text in changed:
        content = text.encode()
        parts.append(f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")
    return b"".join(parts)


def git(place: Path, *arguments: str, stdin: bytes = b"") -> str:
    done = subprocess.run(["git", *arguments], cwd=place, input=stdin, capture_output=True, check=True, env=ENVIRONMENT)
    return done.stdout.decode()


def built(place: Path) -> None:
    place.mkdir()
    git(place, "init", "--quiet", "--bare", "--initial-branch=main", "--template=")
    git(place, "fast-import", "--quiet", stdin=b"".join(stream()))
    git(place, "repack", "-adq")


def add_commit(place: Path) -> None:
    number = int(git(place, "rev-list", "--count", "main"))
    path = f"{directory(1)}/app/networkpolicy.yaml"
    git(place, "fast-import", "--quiet", stdin=commit(number, f"New (#{number})", [(path, policy(1, number))]))


# ---- what runs in a process of its own ----


async def measured(origin: Path, mirror: Path | None, apps: int) -> dict[str, Any]:
    idle = load.resident_mib(os.getpid())
    from tocsin.gitops import index, manifests
    from tocsin.gitops.git import GitRepository
    from tocsin.gitops.git_command import Git
    from tocsin.gitops.layout import Layout
    from tocsin.gitops.settings import GitSettings

    share = {"git": 0.0, "reading": 0.0, "joining": 0.0}
    timed(Git, "run", share, "git")
    timed(manifests, "read", share, "reading")
    timed(index, "build", share, "joining")
    loaded = load.resident_mib(os.getpid())
    at = {"url": origin.as_uri(), "data_directory": mirror} if mirror else {"path": origin}
    adapter = GitRepository(GitSettings.model_validate(at), Layout(path_templates=TEMPLATES))
    found: dict[str, Any] = {"cold": await seconds(adapter.refresh()), "share": dict(share)}
    found["memory"] = load.resident_mib(os.getpid())
    found["new"] = []
    for _ in range(5):
        await asyncio.to_thread(add_commit, origin)
        share.update(dict.fromkeys(share, 0.0))
        found["new"].append(await seconds(adapter.refresh()))
    found["new_share"] = dict(share)
    paths = [f"{directory(app)}/app/networkpolicy.yaml" for app in range(POLICIES)]
    reading = mirror / "mirror.git" if mirror else origin
    found["ours"] = [await seconds(adapter.changes(path, 5)) for path in paths]
    found["again"] = [await seconds(adapter.changes(path, 5)) for path in paths]
    found["plain"] = [await asyncio.to_thread(plain, reading, path) for path in paths]
    now = datetime.fromtimestamp(STARTED + COMMITS * EVERY, UTC)
    found["rate"] = [
        await seconds(adapter.releases(directory(app), 3, now - timedelta(days=180))) for app in range(0, APPS, 5)
    ]
    found["end"] = load.resident_mib(os.getpid())
    found["pass"] = await seconds(adapter.histories([directory(app) for app in range(apps)], 5))
    found |= {"idle": idle, "loaded": loaded, "passed": load.resident_mib(os.getpid())}
    return found


def timed(owner: Any, name: str, share: dict[str, float], what: str) -> None:
    """Adds the time a function takes to `share`."""
    function = getattr(owner, name)

    async def later(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return await function(*arguments, **named)
        finally:
            share[what] += time.perf_counter() - started

    def at_once(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            share[what] += time.perf_counter() - started

    setattr(owner, name, later if asyncio.iscoroutinefunction(function) else at_once)


async def seconds(work: Awaitable[Any]) -> float:
    started = time.perf_counter()
    await work
    return time.perf_counter() - started


def plain(place: Path, path: str) -> float:
    started = time.perf_counter()
    git(place, "log", "-5", "HEAD", "--", path)
    return time.perf_counter() - started


def probe(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


# ---- the report ----


def tell(name: str, found: dict[str, Any]) -> None:
    share = ", ".join(f"{what} {part:.2f}" for what, part in found["share"].items())
    print(f"{name}: index from cold {found['cold']:.2f} s ({share})")
    share = ", ".join(f"{what} {part * 1000:.0f}" for what, part in found["new_share"].items())
    print(f"{name}: index from a new commit {statistics.median(found['new']):.3f} s (the last in ms: {share})")
    base = statistics.median(found["plain"])
    for what, label in (("ours", "history of a policy"), ("again", "the same again"), ("rate", "releases of 180 days")):
        middle = statistics.median(found[what])
        print(
            f"{name}: {label} {middle * 1000:.1f} ms, worst {max(found[what]) * 1000:.1f} ms; {middle / base:.1f} of"
            f" plain git log -5 ({base * 1000:.1f} ms, worst {max(found['plain']) * 1000:.1f} ms)"
        )
    print(f"{name}: histories of all {APPS} directories in one pass {found['pass']:.2f} s")
    print(
        f"{name}: memory {found['memory'] - found['idle']:.1f} MiB above an idle interpreter of {found['idle']:.1f}"
        f" ({found['loaded'] - found['idle']:.1f} of them modules),"
        f" {found['end'] - found['idle']:.1f} after all histories, {found['passed'] - found['idle']:.1f} after the pass"
    )


def main() -> None:
    if len(sys.argv) > 1:
        origin, mirror = Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None
        print(json.dumps(asyncio.run(measured(origin, mirror, APPS))))
        return
    with tempfile.TemporaryDirectory() as home:
        origin, data = Path(home) / "origin.git", Path(home) / "data"
        built(origin)
        number = sum(line.endswith((".yaml", ".yml")) for line in git(origin, "ls-tree", "-r", "main").splitlines())
        print(f"{COMMITS} commits, {POLICIES} policies, {number} YAML files")
        first = probe(str(origin), str(data))
        print(f"clone, index and commit graph: {first['cold']:.2f} s")
        tell("mirror, commit graph", probe(str(origin), str(data)))
        tell("local, no commit graph", probe(str(origin)))


main()
