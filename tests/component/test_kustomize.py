"""Everything under kustomize/, as kubectl renders it, fits the schema of its kind."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest

from kustomized import BASE, COMPONENTS, EXAMPLE, OVERLAYS, TOP, Manifest, on_base, one, places, read, rendered

SCHEMAS = {
    (schema["apiVersion"], schema["kind"]): schema
    for path in sorted((TOP / "tests" / "fixtures" / "schemas").glob("*.yaml"))
    for schema in read(path)
}
KUBERNETES = ("1.29.0", kubernetes_validate.latest_version())
"""The oldest and the newest version whose schemas the core objects must fit."""


def validate(manifest: Manifest) -> None:
    """Raises ValidationError for what an API server refuses, or drops without a word."""
    schema = SCHEMAS.get((manifest["apiVersion"], manifest["kind"]))
    if schema is None:
        for version in KUBERNETES:
            kubernetes_validate.validate(manifest, version, strict=True)
        return
    assert manifest.keys() == {"apiVersion", "kind", "metadata", "spec"}
    whole = {"$defs": schema.get("$defs", {}), **schema["spec"]}
    jsonschema.Draft202012Validator(whole).validate(manifest["spec"])
    # The metadata of every kind is Kubernetes' own.
    bare = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": manifest["metadata"]}
    kubernetes_validate.validate(bare, KUBERNETES[-1], strict=True)


@pytest.mark.parametrize("directory", [BASE, TOP / "config", *OVERLAYS], ids=lambda each: each.name)
def test_what_is_rendered_is_valid(directory: Path) -> None:
    assert rendered(directory)
    for manifest in rendered(directory):
        validate(manifest)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda each: each.name)
def test_every_component_alone_on_the_base_is_valid(component: Path, tmp_path: Path) -> None:
    base, manifests = rendered(BASE), on_base(component, tmp_path)
    for manifest in manifests:
        validate(manifest)
        assert manifest["metadata"]["namespace"] == "observability"
    assert len(manifests) >= len(base)
    (kustomization,) = read(component / "kustomization.yaml")
    assert (kustomization["kind"], kustomization["apiVersion"]) == ("Component", "kustomize.config.k8s.io/v1alpha1")


@pytest.mark.parametrize(
    "component",
    [
        each
        for each in COMPONENTS
        if {"resources", "patches"} & read(each / "kustomization.yaml")[0].keys() == {"resources"}
    ],
    ids=lambda each: each.name,
)
def test_every_component_that_brings_objects_renders_without_the_base(component: Path) -> None:
    for manifest in rendered(component):
        validate(manifest)


def test_the_object_that_flux_reads_is_valid_and_applies_the_app() -> None:
    (flux,) = read(EXAMPLE / "ks.yaml")
    validate(flux)
    assert flux["spec"]["path"].endswith(f"/{flux['metadata']['name']}/app") and (EXAMPLE / "app").is_dir()
    (app,) = read(EXAMPLE / "app" / "kustomization.yaml")
    assert flux["spec"]["targetNamespace"] == app["namespace"]


def test_the_example_uses_or_offers_every_component() -> None:
    text = (EXAMPLE / "app" / "kustomization.yaml").read_text(encoding="utf-8")
    named = re.findall(r"^ +(?:# )?- [./]+/components/([\w-]+)$", text, re.MULTILINE)
    assert {component.name for component in COMPONENTS} <= set(named)


def examples() -> Iterator[Manifest]:
    """One valid object of each kind that has a schema here."""
    seen = set()
    directories = [EXAMPLE, *(each for each in COMPONENTS if each.name == "httproute")]
    manifests = [manifest for directory in directories for manifest in rendered(directory)]
    (postgres,) = (each for each in COMPONENTS if each.name == "postgres")
    for manifest in [*manifests, *read(EXAMPLE / "ks.yaml"), *read(postgres / "cluster.yaml")]:
        key = (manifest["apiVersion"], manifest["kind"])
        if key in SCHEMAS and key not in seen:
            seen.add(key)
            yield manifest


def test_every_schema_is_of_a_kind_that_is_used() -> None:
    assert {(each["apiVersion"], each["kind"]) for each in examples()} == SCHEMAS.keys()


FREE = {"matchLabels", "labels", "annotations", "data"}
"""Objects whose keys are the writer's own."""


def test_a_field_that_a_schema_does_not_know_is_refused_wherever_it_stands() -> None:
    for manifest in examples():
        free = [id(each[key]) for each in places(manifest["spec"]) for key in FREE & each.keys()]
        count = sum(id(each) not in free for each in places(manifest["spec"]))
        for number in range(count):
            changed = deepcopy(manifest)
            free = [id(each[key]) for each in places(changed["spec"]) for key in FREE & each.keys()]
            [each for each in places(changed["spec"]) if id(each) not in free][number]["mispelled"] = "x"
            with pytest.raises(jsonschema.ValidationError):
                validate(changed)
    deployment = deepcopy(one(rendered(BASE), "Deployment"))
    deployment["spec"]["template"]["spec"]["containers"][0]["mispelled"] = "x"
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(deployment)
