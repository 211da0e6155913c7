"""What kubectl makes of the directories under kustomize/."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Manifest = dict[str, Any]

TOP = Path(__file__).parents[1]
BASE = TOP / "kustomize" / "base"
EXAMPLE = TOP / "kustomize" / "overlays" / "example"
COMPONENTS = sorted(path.parent for path in (TOP / "kustomize" / "components").glob("*/kustomization.yaml"))
OVERLAYS = sorted(path.parent for path in (TOP / "kustomize" / "overlays").glob("*/kustomization.yaml"))


def kubectl() -> str:
    """The program: the one of the environment the tests run in, else the one on the path."""
    found = shutil.which(Path(sys.executable).with_name("kubectl")) or shutil.which("kubectl")
    assert found, "kubectl 1.21 or newer is missing, and nothing else renders what is applied to a cluster"
    return found


@cache
def rendered(directory: Path) -> list[Manifest]:
    """Every object of a kustomization. Do not change them: all tests get the same."""
    result = subprocess.run([kubectl(), "kustomize", str(directory)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return [document for document in yaml.safe_load_all(result.stdout) if document]


def on_base(component: Path, directory: Path, *, namespace: str = "observability") -> list[Manifest]:
    """The base with one component, put together in an empty `directory`."""

    def relative(path: Path) -> str:  # kustomize takes no absolute path
        return os.path.relpath(path, directory.resolve())

    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": [relative(BASE)],
        "components": [relative(component)],
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(kustomization), encoding="utf-8")
    return rendered(directory)


def read(path: Path) -> list[Manifest]:
    """The documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def of_kind(manifests: list[Manifest], kind: str) -> list[Manifest]:
    """Those of one kind, in their order."""
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def one(manifests: list[Manifest], kind: str, name: str = "tocsin") -> Manifest:
    """The one object of a kind and name; a name that kustomize made longer by a hash of the content counts."""
    wanted = re.compile(rf"{re.escape(name)}(-[2456789bcdfghkmt]{{10}})?")
    found = [each for each in of_kind(manifests, kind) if wanted.fullmatch(each["metadata"]["name"])]
    assert len(found) == 1, f"{len(found)} of {kind}/{name}"
    return found[0]


def places(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a value, itself included."""
    if isinstance(value, dict):
        yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from places(each)
