"""What a patch may have changed is never called certain."""

import pytest

import gitops_shapes as shapes
from gitops_shapes import index
from tocsin.gitops.resolve import Resolution, resolve
from tocsin.gitops.testimony import hear

LABELS = "patch: |\n      - op: add\n        path: /spec/template/metadata/labels/egress\n        value: internet\n"
POLICIES = (
    shapes.cnp("api", shapes.fqdn("api.example.com"), namespace="n")
    + shapes.cnp("internet", shapes.WORLD, namespace="n", labels={"egress": "internet"})
)  # fmt: skip


def asked(patches: str, more: shapes.Files | None = None) -> Resolution:
    files = {
        "base/kustomization.yaml": shapes.overlay("d.yaml", "p.yaml"),
        "base/d.yaml": shapes.deployment("api"),
        "base/p.yaml": POLICIES,
        "prod/kustomization.yaml": shapes.overlay("../base", namespace="n", more=patches),
    }
    return resolve(index(files | (more or {})), "n", "api-5d7c9d8f6b-x2k4p")


def proven(found: Resolution) -> list[str]:
    return [one.posture.value for one in hear(found).statements]


@pytest.mark.parametrize(
    ("patches", "sure"),
    [
        ("", True),
        ("patches:\n  - target: {kind: Deployment}\n    " + LABELS, False),
        ("patches:\n  - target: {kind: Deployment, name: api}\n    " + LABELS, False),
        ("patches:\n  - target: {kind: Deployment, labelSelector: a=b}\n    " + LABELS, False),
        ("patches:\n  - target: {kind: StatefulSet}\n    " + LABELS, True),
        ("patches:\n  - target: {kind: Deployment, name: web}\n    " + LABELS, True),
        (
            "patches:\n  - target: {kind: Deployment}\n    patch: |\n      - op: add\n        path: /spec/replicas\n        value: 3\n",
            True,
        ),
        (
            "patches:\n  - patch: |\n      kind: Deployment\n      metadata: {name: api}\n"
            "      spec: {template: {metadata: {labels: {egress: internet}}}}\n",
            False,
        ),
        ("patches: [{path: labels.yaml}]\n", False),
        ("patchesStrategicMerge: [labels.yaml]\n", False),
        ("patchesJson6902: [{path: operations.yaml, target: {kind: Deployment, name: api}}]\n", False),
        ("patches: [{path: replicas.yaml}]\n", True),
    ],
)
def test_a_patch_of_labels_leaves_open_which_policies_select(patches: str, sure: bool) -> None:
    files = {
        "prod/labels.yaml": shapes.deployment("api", labels={"egress": "internet"}),
        "prod/replicas.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: api}\nspec: {replicas: 2}\n",
        "prod/operations.yaml": "- op: add\n  path: /spec/template/metadata/labels/egress\n  value: internet\n",
    }
    found = asked(patches, files)
    assert found.primary is not None
    assert found.primary.placed.policy.name == "api"
    assert [one.policy.name for one in found.possible] == ([] if sure else ["internet"])
    assert proven(found) == (["bounded"] if sure else [])


def test_a_patch_of_values_leaves_the_labels_of_a_release_open() -> None:
    patch = "patches:\n  - target: {kind: HelmRelease}\n    patch: |\n      kind: HelmRelease\n      metadata: {name: all}\n      spec: {values: {podLabels: {egress: internet}}}\n"
    files = {"base/d.yaml": shapes.app_template("api")}
    found = resolve(
        index(
            {
                "base/kustomization.yaml": shapes.overlay("d.yaml", "p.yaml"),
                "base/p.yaml": POLICIES,
                "prod/kustomization.yaml": shapes.overlay("../base", namespace="n", more=patch),
            }
            | files
        ),
        "n",
        "api-5d7c9d8f6b-x2k4p",
    )
    assert ([one.policy.name for one in found.possible], proven(found)) == (["internet"], [])


@pytest.mark.parametrize(
    "patches",
    [
        "patches:\n  - target: {kind: CiliumNetworkPolicy, name: api}\n    patch: |\n      - op: replace\n        path: /spec/egress\n        value: []\n",
        "patches: [{path: open.yaml}]\n",
    ],
)
def test_a_patched_policy_proves_nothing(patches: str) -> None:
    found = asked(patches, {"prod/open.yaml": shapes.cnp("api", shapes.WORLD)})
    assert proven(found) == []
    assert hear(found).undecided[-1] == "api is changed by a patch, which is not followed"


RENAMED = """patches:
  - target: {kind: %s, name: app}
    patch: |
      - op: replace
        path: /metadata/name
        value: mealie
"""
SOURCE = """apiVersion: volsync.backube/v1alpha1
kind: ReplicationSource
metadata: {name: app}
spec: {restic: {repository: x}}
"""


def test_a_component_whose_objects_each_app_names() -> None:
    files = {
        "components/volsync/kustomization.yaml": "kind: Component\nresources: [source.yaml]\n",
        "components/volsync/source.yaml": SOURCE,
        "apps/mealie/kustomization.yaml": shapes.overlay(
            namespace="n", components=("../../components/volsync",), more=RENAMED % "ReplicationSource"
        ),
    }
    assert resolve(index(files), "n", "volsync-src-mealie-x2b4c").app == "mealie"
    assert resolve(index(files), "n", "volsync-src-app-x2b4c").app is None


def test_what_an_operator_calls_after_an_object_follows_its_new_name() -> None:
    cluster = "apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nmetadata: {name: app}\nspec: {instances: 1}\n"
    files = {
        "base/kustomization.yaml": shapes.overlay("c.yaml"),
        "base/c.yaml": cluster,
        "one/kustomization.yaml": shapes.overlay("../base", namespace="n", more=RENAMED % "Cluster"),
        "two/kustomization.yaml": shapes.overlay("../base", namespace="n", more="namePrefix: old-\n"),
    }
    found = {one.workload.name: dict(one.workload.labels)["cnpg.io/cluster"] for one in index(files).workloads}
    assert found == {"mealie": "mealie", "old-app": "old-app"}
    assert all(not one.workload.unread for one in index(files).workloads)


def test_a_renamed_policy_is_the_same_policy() -> None:
    policy = shapes.cnp("app", shapes.fqdn("api.example.com"), labels={"app.kubernetes.io/name": "api"})
    files = {
        "base/kustomization.yaml": shapes.overlay("d.yaml", "p.yaml"),
        "base/d.yaml": shapes.deployment("api"),
        "base/p.yaml": policy,
        "prod/kustomization.yaml": shapes.overlay("../base", namespace="n", more=RENAMED % "CiliumNetworkPolicy"),
    }
    found = resolve(index(files), "n", "api-5d7c9d8f6b-x2k4p")
    assert ([one.placed.policy.name for one in found.policies], proven(found)) == (["mealie"], ["bounded"])
    more = "      - op: remove\n        path: /spec/egress\n"
    files["prod/kustomization.yaml"] += more
    assert proven(resolve(index(files), "n", "api-5d7c9d8f6b-x2k4p")) == []


def test_a_patch_of_flux_counts() -> None:
    patch = f"  patches:\n    - target: {{kind: Deployment}}\n      {LABELS}".replace("\n      -", "\n        -")
    files = {
        "flux/ks.yaml": shapes.flux(
            "api",
            "prod",
            target="n",
            more=patch.replace("\n        p", "\n          p").replace("\n        v", "\n          v"),
        ),
        "prod/d.yaml": shapes.deployment("api"),
        "prod/p.yaml": POLICIES,
    }
    found = resolve(index(files), "n", "api-5d7c9d8f6b-x2k4p")
    assert ([one.policy.name for one in found.possible], proven(found)) == (["internet"], [])
