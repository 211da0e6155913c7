"""The manifests under kustomize/: read as YAML everywhere, and built by kubectl where there is one."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tocsin.settings import load

TOP = Path(__file__).parents[2]
BASE = TOP / "kustomize" / "base"
EXAMPLE = TOP / "kustomize" / "overlays" / "example"
Manifest = dict[str, Any]


def read(path: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def gathered(directory: Path) -> dict[str, Manifest]:
    """Every manifest a kustomization lists, directly or through another, by kind and name. No patch is applied."""
    (kustomization,) = read(directory / "kustomization.yaml")
    found: dict[str, Manifest] = {}
    for entry in kustomization.get("resources", []):
        path = (directory / entry).resolve()
        documents = gathered(path) if path.is_dir() else {name_of(document): document for document in read(path)}
        assert not found.keys() & documents.keys(), f"{entry} declares again what is there already"
        found |= documents
    for generator in kustomization.get("configMapGenerator", []):
        name = f"ConfigMap/{generator['name']}"
        data = {Path(file).name: (directory / file).read_text(encoding="utf-8") for file in generator["files"]}
        before = found.get(name, {"data": {}})["data"]
        found[name] = {"kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": before | data}
    for patch in kustomization.get("patches", []):
        assert "path" not in patch or name_of(read(directory / patch["path"])[0]) in found
    return found


def name_of(document: Manifest) -> str:
    return f"{document['kind']}/{document['metadata']['name']}"


def built(directory: Path) -> dict[str, Manifest]:
    """What kubectl makes of a kustomization."""
    command = ["kubectl", "kustomize", str(directory)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return {name_of(document): document for document in yaml.safe_load_all(output)}


def test_the_base_is_whole_and_hardened() -> None:
    manifests = gathered(BASE)
    assert set(manifests) == {
        *("ConfigMap/tocsin", "Deployment/tocsin", "Service/tocsin", "ServiceAccount/tocsin"),
        *("PersistentVolumeClaim/tocsin", "CiliumNetworkPolicy/tocsin"),
    }
    deployment = manifests["Deployment/tocsin"]["spec"]
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
    assert pod["securityContext"]["runAsNonRoot"] and not pod["automountServiceAccountToken"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    assert {"/healthz", "/readyz"} == {
        container[f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")
    }


def test_a_name_that_may_be_reached_may_be_resolved_and_the_other_way_round() -> None:
    for policy in (manifest for manifest in gathered(EXAMPLE).values() if manifest["kind"] == "CiliumNetworkPolicy"):
        egress = policy["spec"]["egress"]
        reached = [fqdn["matchName"] for rule in egress for fqdn in rule.get("toFQDNs", [])]
        ports = [port for rule in egress for port in rule.get("toPorts", [])]
        asked = [
            query["matchName"]
            for port in ports
            for query in port.get("rules", {}).get("dns", [])
            if "matchName" in query
        ]
        assert reached == asked
        assert not any("toEntities" in rule or "toCIDR" in rule for rule in egress)


def test_the_example_is_a_configuration_whose_secret_files_its_external_secret_writes(tmp_path: Path) -> None:
    manifests = gathered(EXAMPLE)
    written = manifests["ExternalSecret/tocsin"]["spec"]["target"]["template"]["data"]
    (patch,) = read(EXAMPLE / "deployment.yaml")
    directory = patch["spec"]["template"]["spec"]["containers"][0]["volumeMounts"][0]["mountPath"]
    settings = manifests["ConfigMap/tocsin"]["data"]["tocsin.yaml"]
    named = [line.split()[-1] for line in settings.splitlines() if "_file:" in line]
    assert sorted(named) == sorted(f"{directory}/{key}" for key in written)
    for key in written:
        (tmp_path / key).write_text("0123456789abcdefghijABCDEFGHIJ", encoding="utf-8")
    configuration = tmp_path / "tocsin.yaml"
    configuration.write_text(settings.replace(directory, str(tmp_path)), encoding="utf-8")
    assert set(load(configuration, {}).channels) == {"phone", "backup"}


@pytest.mark.parametrize("directory", [BASE, EXAMPLE], ids=["base", "example"])
def test_kubectl_builds_what_the_files_list(directory: Path) -> None:
    listed = gathered(directory)
    # kubectl is not in Debian's archive; without it, that every listed file is there and well-formed is what is known.
    manifests = built(directory) if shutil.which("kubectl") else listed
    names = {name.split("-")[0] if name.startswith("ConfigMap/") else name for name in manifests}
    assert names == set(listed)
