"""kustomize/components/shadow: the base with nothing changed but the mode."""

from copy import deepcopy
from pathlib import Path

import pytest

from kustomized import BASE, TOP, on_base, one, rendered
from tocsin.model import Mode
from tocsin.settings import load

COMPONENT = TOP / "kustomize" / "components" / "shadow"


def test_the_component_sets_the_mode_and_nothing_else(tmp_path: Path) -> None:
    expected = deepcopy(one(rendered(BASE), "Deployment"))
    built = deepcopy(one(on_base(COMPONENT, tmp_path), "Deployment"))
    for kind in ("initContainers", "containers"):
        (before,) = expected["spec"]["template"]["spec"][kind]
        (after,) = built["spec"]["template"]["spec"][kind]
        environment = {each["name"]: each.get("value") for each in after.pop("env")}
        assert environment.pop("TOCSIN__MODE") == "shadow"
        assert environment == {each["name"]: each.get("value") for each in before.pop("env", [])}
        assert after == before
    for manifest in (expected, built):  # of the whole only the namespace of the overlay differs
        manifest["metadata"].pop("namespace", None)
    assert built == expected


def test_the_program_takes_the_mode_from_that_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tocsin.yaml"
    path.write_text("mode: live\n")
    assert load(path).mode is Mode.LIVE
    monkeypatch.setenv("TOCSIN__MODE", "shadow")
    assert load(path).mode is Mode.SHADOW
