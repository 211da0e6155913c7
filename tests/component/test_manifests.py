"""The manifests under kustomize/ agree with the service, with its configuration and with each other."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from kit import command
from kustomized import BASE, EXAMPLE, TOP, Manifest, of_kind, on_base, one, places, rendered
from tocsin.app import SHUTDOWN_WITHIN
from tocsin.settings import Settings, load

TOKEN = "0123456789abcdefghijABCDEFGHIJ"
MOUNTED = "/run/secrets/tocsin"


# -- the pod ----


def pod() -> Manifest:
    return one(rendered(EXAMPLE), "Deployment")["spec"]["template"]["spec"]  # type: ignore[no-any-return]


def containers() -> list[Manifest]:
    return [*pod()["initContainers"], *pod()["containers"]]


def test_one_process_at_a_time_without_any_right_to_ask_kubernetes() -> None:
    deployment = one(rendered(BASE), "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
    assert pod()["automountServiceAccountToken"] is False
    assert one(rendered(BASE), "ServiceAccount")["automountServiceAccountToken"] is False
    kinds = {manifest["kind"] for manifest in rendered(BASE)}
    assert not kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def test_the_pod_fits_the_restricted_profile_of_pod_security() -> None:
    security = pod()["securityContext"]
    assert security["runAsNonRoot"] is True and security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod().keys()
    volumes = [set(volume) - {"name"} for volume in pod()["volumes"]]
    assert all(kinds <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim"} for kinds in volumes)
    for container in containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


def test_the_user_and_the_paths_are_those_of_the_image() -> None:
    dockerfile = (TOP / "Dockerfile").read_text(encoding="utf-8")
    security = pod()["securityContext"]
    assert f"USER {security['runAsUser']}:{security['runAsGroup']}" in dockerfile
    (main,) = pod()["containers"]
    mounts = {mount["mountPath"]: mount for mount in main["volumeMounts"]}
    (volume,) = re.findall(r"^VOLUME (\S+)$", dockerfile, re.MULTILINE)
    assert set(mounts) == {volume, "/etc/tocsin", MOUNTED, "/tmp"}
    assert {mount["name"] for mount in mounts.values()} == {volume["name"] for volume in pod()["volumes"]}
    assert {path for path, mount in mounts.items() if mount.get("readOnly")} == {"/etc/tocsin", MOUNTED}


def test_the_pod_has_longer_to_end_than_the_service_needs() -> None:
    for settings in (Settings(), example_settings()):
        needed = settings.server.drain + timedelta(seconds=SHUTDOWN_WITHIN)
        assert timedelta(seconds=pod()["terminationGracePeriodSeconds"]) >= needed + timedelta(seconds=10)


def test_the_probes_ask_what_the_server_answers() -> None:
    (main,) = pod()["containers"]
    probes = {key: main[key] for key in main if key.endswith("Probe")}
    paths = {key: probe["httpGet"]["path"] for key, probe in probes.items()}
    assert paths == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    ports = {port["name"]: port["containerPort"] for port in main["ports"]}
    assert ports == {"http": Settings().server.port}
    assert {probe["httpGet"]["port"] for probe in probes.values()} == {"http"}


def test_prometheus_finds_the_service_and_the_service_the_pod() -> None:
    service = one(rendered(EXAMPLE), "Service")
    monitor = one(rendered(EXAMPLE), "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert "namespaceSelector" not in monitor, "its own namespace"
    (endpoint,) = monitor["endpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
    (port,) = service["spec"]["ports"]
    assert (port["name"], port["targetPort"]) == ("http", "http")
    labels = one(rendered(EXAMPLE), "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


# -- the configuration, checked before it is served ----


def configuration() -> str:
    return one(rendered(EXAMPLE), "ConfigMap")["data"]["tocsin.yaml"]  # type: ignore[no-any-return]


def example_settings() -> Settings:
    """The settings of the example; where its secrets would be, none."""
    plain = yaml.safe_load(configuration())
    without = [section for section in places(plain) for key in section if str(key).endswith("_file")]
    for section in without:
        for key in [key for key in section if key.endswith("_file")]:
            section[key.removesuffix("_file")] = TOKEN
            del section[key]
    return Settings.model_validate(plain)


def test_both_containers_see_the_same_configuration() -> None:
    (check,), (main,) = pod()["initContainers"], pod()["containers"]
    assert (check["name"], check["args"]) == ("check", ["check", "--offline"])
    assert (check["image"], check["env"]) == (main["image"], main["env"])
    assert [mount for mount in main["volumeMounts"] if mount["mountPath"] != "/data"] == check["volumeMounts"]


@pytest.mark.parametrize(
    ("mistake", "code", "said"),
    [
        ("", 0, "ok    configuration"),
        ("decyde: {}\n", 2, 'tocsin.yaml:LINE: decyde: unknown key; did you mean "decide"?'),
        ("enrich: {deadline: soon}\n", 2, "tocsin.yaml:LINE: enrich.deadline: "),
    ],
    ids=["right", "unknown-key", "wrong-value"],
)
async def test_a_mistake_is_shown_with_file_and_line_before_anything_is_served(
    tmp_path: Path, mistake: str, code: int, said: str
) -> None:
    (check,) = pod()["initContainers"]
    secrets = one(rendered(EXAMPLE), "ExternalSecret")["spec"]["target"]["template"]["data"]
    for key in secrets:
        (tmp_path / key).write_text(TOKEN, encoding="utf-8")
    text = configuration().replace(MOUNTED, str(tmp_path)) + mistake
    path = tmp_path / "tocsin.yaml"
    path.write_text(text, encoding="utf-8")
    done = await command(*check["args"], directory=tmp_path, TOCSIN_CONFIG=str(path))
    assert done.code == code, done.out + done.err
    assert said.replace("LINE", str(len(text.splitlines()))) in done.out + done.err


def test_the_secret_files_that_the_configuration_names_are_those_that_are_written(tmp_path: Path) -> None:
    secrets = one(rendered(EXAMPLE), "ExternalSecret")["spec"]["target"]
    (volume,) = [volume["secret"] for volume in pod()["volumes"] if volume["name"] == "secrets"]
    assert (volume["secretName"], volume["optional"]) == (secrets["name"], True)
    files = [value for section in places(yaml.safe_load(configuration())) for value in section.values()]
    files = [value for value in files if isinstance(value, str) and value.startswith("/")]
    assert sorted(files) == sorted(f"{MOUNTED}/{key}" for key in secrets["template"]["data"])
    for key in secrets["template"]["data"]:
        (tmp_path / key).write_text(TOKEN, encoding="utf-8")
    (tmp_path / "tocsin.yaml").write_text(configuration().replace(MOUNTED, str(tmp_path)), encoding="utf-8")
    loaded = load(tmp_path / "tocsin.yaml", {})
    assert loaded.server.bearer is not None and set(loaded.channels) == {"phone", "backup"}


# -- the routing ----


def test_alertmanager_posts_to_the_service_with_the_token_that_tocsin_expects() -> None:
    manifests = rendered(EXAMPLE)
    service = one(manifests, "Service")
    namespace, (port,) = service["metadata"]["namespace"], service["spec"]["ports"]
    (receiver,) = one(manifests, "AlertmanagerConfig")["spec"]["receivers"]
    (webhook,) = receiver["webhookConfigs"]
    host = f"{service['metadata']['name']}.{namespace}.svc.cluster.local"
    assert webhook["url"] == f"http://{host}:{port['port']}/webhook"
    assert (webhook["sendResolved"], webhook["maxAlerts"]) == (True, 0)
    credentials = webhook["httpConfig"]["authorization"]["credentials"]
    secret = one(manifests, "ExternalSecret", credentials["name"])["spec"]["target"]
    assert credentials["key"] in secret["template"]["data"]
    server = yaml.safe_load(configuration())["server"]
    assert server["bearer_file"] == f"{MOUNTED}/{credentials['key']}"


def test_every_secret_that_alertmanager_needs_is_written_and_only_the_token_is_shared_with_the_pod() -> None:
    written = {
        (each["spec"]["target"]["name"], key)
        for each in of_kind(rendered(EXAMPLE), "ExternalSecret")
        for key in each["spec"]["target"]["template"]["data"]
    }
    wanted = {
        (place["name"], place["key"])
        for each in of_kind(rendered(EXAMPLE), "AlertmanagerConfig")
        for place in places(each["spec"]["receivers"])
        if place.keys() == {"name", "key"}
    }
    assert wanted <= written
    assert [key for name, key in wanted if name == "tocsin"] == ["webhook-token"]


def duration(text: str) -> timedelta:
    units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
    return timedelta(**{units[unit]: int(number) for number, unit in re.findall(r"(\d+)([smhd])", text)})


def test_alertmanager_repeats_often_enough_for_what_tocsin_remembers() -> None:
    decide = Settings().decide
    repeat = duration(one(rendered(EXAMPLE), "AlertmanagerConfig")["spec"]["route"]["repeatInterval"])
    assert repeat < decide.repeat_after, "or repeats come late"
    assert repeat * 4 < decide.lost_after, "or an incident that still fires counts as lost"


# -- what may reach it, what it may reach ----


def policies() -> list[Manifest]:
    return of_kind(rendered(EXAMPLE), "CiliumNetworkPolicy")


def dns_rules(policy: Manifest) -> list[Mapping[str, str]]:
    ports = [port for rule in policy["spec"].get("egress", []) for port in rule["toPorts"]]
    return [query for port in ports for query in port.get("rules", {}).get("dns", [])]


def test_a_name_that_may_be_reached_may_be_resolved_and_the_other_way_round() -> None:
    for policy in policies():
        reached = [name for rule in policy["spec"]["egress"] for name in rule.get("toFQDNs", [])]
        services = [{"matchPattern": "*.*.svc.cluster.local"}] if policy["metadata"]["name"] == "tocsin" else []
        assert services + reached == dns_rules(policy)
        assert all(name.keys() == {"matchName"} for name in reached), "hosts are named, never matched"


def test_egress_is_to_named_hosts_and_named_pods_on_named_ports() -> None:
    for rule in [rule for policy in policies() for rule in policy["spec"]["egress"]]:
        assert len({"toFQDNs", "toEndpoints"} & rule.keys()) == 1 and rule.keys() <= {
            "toFQDNs",
            "toEndpoints",
            "toPorts",
        }
        assert all(port["ports"] for port in rule["toPorts"])
        for selector in rule.get("toEndpoints", []):
            assert selector["matchLabels"].keys() & {"k8s:app.kubernetes.io/name", "k8s:k8s-app"}


def test_only_alertmanager_prometheus_the_node_and_a_gateway_get_in(tmp_path: Path) -> None:
    manifests = on_base(TOP / "kustomize" / "components" / "httproute", tmp_path)
    allowed = set()
    for policy in of_kind(manifests, "CiliumNetworkPolicy"):
        for rule in policy["spec"]["ingress"]:
            (port,) = [port for each in rule["toPorts"] for port in each["ports"]]
            assert port == {"port": str(Settings().server.port), "protocol": "TCP"}
            allowed |= set(rule.get("fromEntities", []))
            for selector in rule.get("fromEndpoints", []):
                # Without this key Cilium means the policy's own namespace.
                anywhere, name = selector["matchExpressions"]
                assert anywhere == {"key": "k8s:io.kubernetes.pod.namespace", "operator": "Exists"}
                assert (name["key"], name["operator"]) == ("k8s:app.kubernetes.io/name", "In")
                allowed |= set(name["values"])
    assert allowed == {"host", "alertmanager", "prometheus", "ingress"}
    (route,) = of_kind(manifests, "HTTPRoute")
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert (backend["name"], backend["port"]) == ("tocsin", Settings().server.port)


def test_every_label_in_a_selector_of_pods_says_that_it_comes_from_kubernetes() -> None:
    for policy in policies():
        labels = one(rendered(EXAMPLE), "Deployment")["spec"]["template"]["metadata"]["labels"]
        assert policy["spec"]["endpointSelector"]["matchLabels"].items() <= labels.items()
        peers = [rule for rules in ("ingress", "egress") for rule in policy["spec"].get(rules, [])]
        selectors = [each for rule in peers for key in ("fromEndpoints", "toEndpoints") for each in rule.get(key, [])]
        for selector in selectors:
            keys = [*selector.get("matchLabels", {}), *(each["key"] for each in selector.get("matchExpressions", []))]
            assert all(key.startswith("k8s:") for key in keys)
            assert "k8s:io.kubernetes.pod.namespace" in keys


def urls() -> list[str]:
    """Every address that the example makes tocsin ask, the default ones of its channels included."""
    dumped = example_settings().model_dump(mode="json", exclude={"identify"})
    found = [value for section in places(dumped) for value in section.values() if isinstance(value, str)]
    return [value for value in found if re.match(r"https?://", value)]


def test_the_policies_allow_what_the_configuration_asks_for() -> None:
    rules = [rule for policy in policies() for rule in policy["spec"]["egress"]]
    asked = [query for policy in policies() for query in dns_rules(policy)]
    patterns = [each.get("matchName", each.get("matchPattern", "")) for each in asked]
    assert {urlsplit(url).hostname for url in urls()} > {"github.com", "ntfy.sh", "api.pushover.net"}
    for url in urls():
        parts = urlsplit(url)
        host, port = parts.hostname or "", str(parts.port or {"http": 80, "https": 443}[parts.scheme])
        assert any(re.fullmatch(re.escape(each).replace(r"\*", "[-a-zA-Z0-9_]*"), host) for each in patterns), host
        service = host.endswith(".svc.cluster.local")
        matching = [
            rule
            for rule in rules
            if ("toEndpoints" in rule if service else {"matchName": host} in rule.get("toFQDNs", []))
        ]
        ports = [each["port"] for rule in matching for ports in rule["toPorts"] for each in ports["ports"]]
        assert port in ports, url
