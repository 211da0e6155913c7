"""Labels and pod names lead to the right subject, or to none."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.destination import DestinationSettings, normalise
from tocsin.identify import (
    IdentifySettings,
    Owner,
    destination_of,
    incident_key,
    kind_of,
    pods_to_look_up,
    subject_of,
)
from tocsin.model import Alert, AlertStatus, Kind
from tocsin.pod_names import is_kubernetes_name, strip_pod_name

SETTINGS = IdentifySettings()
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def alert(
    labels: Mapping[str, str], annotations: Mapping[str, str] | None = None, fingerprint: str = "14dbf60f7d6a80e1"
) -> Alert:
    labels = {"alertname": "EgressNovelDestination", **labels}
    return Alert(AlertStatus.FIRING, labels, annotations or {}, NOON, None, "", fingerprint)


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("sonarr-7f9c6d8b5-x2b4c", "sonarr"),
        ("sonarr-5d4f8c7b9b-mn4q8", "sonarr"),
        ("node-red-code-7f9c6d8b5-x2b4c", "node-red-code"),
        ("home-assistant-0", "home-assistant"),
        ("home-assistant-code-7d9fbc6c4b-2xkzn", "home-assistant-code"),
        ("redis-2", "redis"),
        ("redis-node-12", "redis-node"),
        ("recyclarr-29788325-vfgx7", "recyclarr"),
        ("recyclarr-1695211500-vfgx7", "recyclarr"),
        ("backup-29788325-0-vfgx7", "backup"),
        ("db-migrate-x2b4c", "db-migrate"),
        ("cilium-5kq2x", "cilium"),
        ("home-ops-runner-x7k2p-runner-9zq4l", "home-ops-runner"),
        ("postgres-16-1", "postgres-16"),
        ("postgres-16-1-initdb-x2b4c", "postgres-16"),
        ("postgres-16-3-join-x2b4c", "postgres-16"),
        ("my.app-7f9c6d8b5-x2b4c", "my.app"),
        ("n8n-6bf5b5d49c-8kkvw", "n8n"),
        # no suffix that Kubernetes appends
        ("debug", None),
        ("home-assistant", None),
        ("node-exporter", None),
        ("kube-apiserver-node1", None),
        ("etcd-talos-cp-a", None),
        ("sonarr-7f9c6d8b5-abcde", None),
        ("arc-runner-set-754b578d-listener", None),
        ("-0", None),
        ("", None),
        ("a\n-0", None),
        ("$(reboot)-0", None),
        # cut to 63 characters: the end of the workload's name may be gone
        ("a" * 57 + "-x2b4c", None),
    ],
)
def test_what_kubernetes_appended_is_taken_off(pod: str, workload: str | None) -> None:
    assert strip_pod_name(pod) == workload


@given(
    st.from_regex(r"[a-z]([a-z-]{0,20}[a-z])?", fullmatch=True),
    st.text("456789bcdf", min_size=8, max_size=10),
    st.text("bcdfghjklmnpqrstvwxz2456789", min_size=5, max_size=5),
)
def test_every_deployment_pod_leads_back_to_its_deployment(name: str, hash_: str, suffix: str) -> None:
    assert strip_pod_name(f"{name}-{hash_}-{suffix}") == name


@given(st.text())
def test_any_text_is_stripped_to_a_kubernetes_name_or_nothing(pod: str) -> None:
    stripped = strip_pod_name(pod)
    assert stripped is None or (is_kubernetes_name(stripped) and pod.startswith(stripped))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("EgressNovelDestination", Kind.NOVEL),
        ("PodEgressNovelDestination", Kind.NOVEL),
        ("EgressVolumeAnomaly", Kind.VOLUME),
        ("PodEgressVolumeAnomaly", Kind.VOLUME),
        ("KubePodCrashLooping", Kind.OTHER),
        ("", Kind.OTHER),
    ],
)
def test_the_alert_name_decides_the_kind(name: str, kind: Kind) -> None:
    assert kind_of(alert({"alertname": name}), SETTINGS) is kind


def test_a_label_is_the_best_evidence() -> None:
    found = subject_of(
        alert({"namespace": "media", "workload": "sonarr", "pod": "other-0"}), {("media", "other-0"): "other"}, SETTINGS
    )
    assert (found.workload, found.evidence, found.pods) == ("sonarr", "label workload", ("other-0",))


def test_an_owner_beats_the_name_of_the_pod() -> None:
    pod = "sonarr-7f9c6d8b5-x2b4c"
    labels = {"source_namespace": "media", "source_pod": pod}
    found = subject_of(alert(labels), {("media", pod): Owner("sonarr-hd", "owner of the pod")}, SETTINGS)
    assert (found.workload, found.evidence) == ("sonarr-hd", "owner of the pod")
    found = subject_of(alert(labels), {("home", pod): "sonarr-hd"}, SETTINGS)
    assert (found.workload, found.evidence) == ("sonarr", "name of the pod")


def test_a_bare_pod_stays_unresolved() -> None:
    found = subject_of(alert({"namespace": "media", "pod": "debug"}), {}, SETTINGS)
    assert (found.workload, found.evidence, found.label) == (None, "unresolved", "media/debug")


def test_labels_of_the_scraped_agent_do_not_hide_the_source() -> None:
    found = subject_of(
        alert(
            {
                "namespace": "kube-system",
                "pod": "cilium-5kq2x",
                "source_namespace": "media",
                "source_pod": "sonarr-7f9c6d8b5-x2b4c",
            }
        ),
        {},
        SETTINGS,
    )
    assert (found.namespace, found.workload) == ("media", "sonarr")


@pytest.mark.parametrize("namespace", ["namespace", "source_namespace", "exported_namespace"])
@pytest.mark.parametrize("workload", ["workload", "source_workload"])
@pytest.mark.parametrize("query", ["destination", "query"])
def test_every_default_label_name_is_read(namespace: str, workload: str, query: str) -> None:
    sent = alert({namespace: "media", workload: "sonarr", query: "x.example."})
    assert subject_of(sent, {}, SETTINGS).label == "media/sonarr"
    assert destination_of(sent, SETTINGS) == "x.example."


@pytest.mark.parametrize("value", ["", " ", "<none>", "<nil>", "<no value>"])
def test_an_empty_value_counts_as_no_label(value: str) -> None:
    sent = alert({"workload": value, "namespace": "media", "source_namespace": value, "query": value, "pod": "redis-2"})
    found = subject_of(sent, {}, SETTINGS)
    assert (found.namespace, found.workload) == ("media", "redis")
    assert destination_of(sent, SETTINGS) is None


def test_the_pod_may_be_an_annotation() -> None:
    sent = alert({"namespace": "media"}, {"pod": "recyclarr-29788325-vfgx7"})
    assert subject_of(sent, {}, SETTINGS).workload == "recyclarr"


def test_the_cluster_comes_from_a_label_or_the_configuration() -> None:
    settings = IdentifySettings(cluster="home")
    assert subject_of(alert({}), {}, settings).cluster == "home"
    assert subject_of(alert({"cluster": "away"}), {}, settings).cluster == "away"


def test_only_pods_that_could_exist_and_have_no_workload_are_looked_up() -> None:
    alerts = [
        alert({"namespace": "media", "pod": "a-0"}),
        alert({"namespace": "media", "pod": "b-0", "workload": "b"}),
        alert({"pod": "c-0"}),
        alert({"namespace": "media", "pod": 'd"} or vector(1)'}),
    ]
    assert pods_to_look_up(alerts, SETTINGS) == {("media", "a-0")}


def key_of(
    labels: Mapping[str, str], kind: Kind = Kind.NOVEL, fingerprint: str = "14dbf60f7d6a80e1"
) -> tuple[str, ...]:
    sent = alert(labels, fingerprint=fingerprint)
    raw = destination_of(sent, SETTINGS)
    asked = normalise(raw, DestinationSettings()) if raw else None
    return incident_key(kind, subject_of(sent, {}, SETTINGS), asked, sent)


def test_names_below_one_registrable_domain_are_one_incident() -> None:
    who = {"namespace": "media", "workload": "sonarr"}
    one, other = key_of({**who, "query": "a.x.example."}), key_of({**who, "query": "b.x.example"})
    assert one == other == ("", "novel", "media", "sonarr", "x.example")
    assert key_of({**who, "query": "a.y.example"}) != one


def test_a_volume_incident_has_no_domain() -> None:
    labels = {"namespace": "home", "workload": "node-red", "window": "10m"}
    assert key_of(labels, Kind.VOLUME) == ("", "volume", "home", "node-red", "")


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ({"namespace": "media", "workload": "sonarr"}, Kind.OTHER),
        ({"namespace": "media", "workload": "sonarr"}, Kind.NOVEL),
        ({"workload": "sonarr", "query": "x.example"}, Kind.NOVEL),
        ({"namespace": "media", "query": "x.example"}, Kind.NOVEL),
        ({"namespace": "media"}, Kind.VOLUME),
    ],
)
def test_alerts_that_say_too_little_stay_apart(labels: Mapping[str, str], kind: Kind) -> None:
    keys = {key_of(labels, kind, fingerprint) for fingerprint in ("aa", "bb")}
    assert len(keys) == 2
    assert all(key[-2] == "EgressNovelDestination" for key in keys)
