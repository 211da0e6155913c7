"""Coverage-guided fuzzing of everything that reads text of strangers.

    python benchmarks/fuzz.py TARGET [options of libFuzzer, for example -max_total_time=60]

The corpus grows in build/fuzz/TARGET; what fails is written to build/fuzz/ and belongs into a test, as
small as it gets.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tocsin"]):
    from tocsin import alertmanager, cases, destination, inert, pod_names, yaml_documents
    from tocsin.classify import AppsFile
    from tocsin.destination import DestinationSettings
    from tocsin.errors import BadPayload
    from tocsin.identify import IdentifySettings
    from tocsin.policy import parse

from pydantic import ValidationError

TOP = Path(__file__).parents[1]
sys.path.insert(0, str(TOP / "tests"))

from nasty import NAMES

POD_NAMES = ("web-7d9c5b8f6d-x2x4q", "db-0", "backup-29788325-vfgx7", "pg-1-initdb-abcde", "runner-abcde-runner-12345")
SUFFIXES = DestinationSettings(lan_domains=("home.example.org",), search_suffixes=("corp.example.net",))
IDENTIFY = IdentifySettings()


def payload(data: bytes) -> None:
    """A webhook is refused with a reason, or read to the incidents it is about; each title is one visible line."""
    try:
        number = alertmanager.count(data)
    except BadPayload as refused:
        assert str(refused)
        return
    group = alertmanager.parse(data.decode("utf-8"))  # as the store gives it back
    assert len(group.alerts) == number
    found = cases.sort_out(group, {}, IDENTIFY, SUFFIXES)
    assert sum(len(case.alerts) for case in found) == number
    for case in found:
        assert len(case.title.splitlines()) == 1
        case.title.encode()


def names(data: bytes) -> None:
    """A name is normalised to its small alphabet; normalising is final, and what is shown is short."""
    found = destination.normalise(data.decode("utf-8", "surrogateescape"), SUFFIXES)
    assert set(found.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.*-\\:"), found.name
    assert found.name.endswith(found.domain.removeprefix("*"))
    assert len(found.shown) <= destination.MAX_SHOWN
    assert inert.text(found.shown, 1000) == found.shown


def pods(data: bytes) -> None:
    """Of a pod's name at most the end is taken off."""
    pod = data.decode("utf-8", "replace")
    stripped = pod_names.strip_pod_name(pod)
    assert stripped is None or (stripped and pod.startswith(stripped))
    for kind in ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "Job"):
        pod_names.matches(kind, pod[: len(pod) // 2], pod)


def policies(data: bytes) -> None:
    """A file is read to policies and problems, whatever it is."""
    parse.parse(data.decode("utf-8", "replace"))


def apps(data: bytes) -> None:
    """apps.yaml is accepted or refused."""
    try:
        AppsFile.model_validate(yaml_documents.load(data.decode("utf-8", "replace")))
    except (ValidationError, *yaml_documents.BROKEN):
        return


TARGETS: dict[str, tuple[Callable[[bytes], None], str | tuple[str, ...]]] = {
    "payload": (payload, "tests/fixtures/alertmanager/*/*.json"),
    "names": (names, NAMES),
    "pods": (pods, POD_NAMES),
    "policies": (policies, "kustomize/base/*policy.yaml"),
    "apps": (apps, "config/apps.yaml"),
}


def main() -> None:
    target, seeds = TARGETS[sys.argv[1]]
    corpus = TOP / "build" / "fuzz" / sys.argv[1]
    corpus.mkdir(parents=True, exist_ok=True)
    texts = [path.read_bytes() for path in TOP.glob(seeds)] if isinstance(seeds, str) else [s.encode() for s in seeds]
    for number, text in enumerate(texts):
        (corpus / f"seed-{number}").write_bytes(text)
    options = [f"-artifact_prefix={corpus.parent}/", "-max_len=4096", "-timeout=20", *sys.argv[2:]]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
