"""Who owns a pod, and since when it exists: the series of kube-state-metrics in a real Prometheus."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from real_prometheus import DAY, DAYS, HOUR, MINUTE, Past, Written
from tocsin.enrich.pods import MAX_PODS, PodAges, PodOwners
from tocsin.enrich.prometheus import Prometheus, PrometheusSettings
from tocsin.findings import Inquiry, PodFacts
from tocsin.model import Kind, Subject

pytestmark = pytest.mark.e2e


def state(written: Written) -> None:
    def owned(metric: str, label: str, name: str, kind: str, owner: str, *, ended: float = 0, **more: str) -> None:
        labels = {"namespace": "media", label: name, "owner_kind": kind, "owner_name": owner, **more}
        written.add(metric, labels, lambda _: 1, ended + HOUR, ended)

    def pod(name: str, kind: str, owner: str, **more: object) -> None:
        owned("kube_pod_owner", "pod", name, kind, owner, **more)  # type: ignore[arg-type]

    pod("lone-abc-x2b4c", "ReplicaSet", "lone-abc")
    owned("kube_replicaset_owner", "replicaset", "lone-abc", "<none>", "<none>")
    pod("bare-set-x2b4c", "ReplicaSet", "bare-set")
    owned("kube_replicaset_owner", "replicaset", "bare-set", "", "")
    pod("rollout-7f9c6d8b5-x2b4c", "ReplicaSet", "rollout-7f9c6d8b5")
    owned("kube_replicaset_owner", "replicaset", "rollout-7f9c6d8b5", "Rollout", "canary")
    pod("migrate-x2b4c", "Job", "migrate")
    owned("kube_job_owner", "job_name", "migrate", "", "")
    pod("nightly-29788325-x2b4c", "Job", "nightly-29788325")
    owned("kube_job_owner", "job_name", "nightly-29788325", "CronJob", "nightly")
    pod("unseen-7f9c6d8b5-x2b4c", "ReplicaSet", "unseen-7f9c6d8b5")
    pod("postgres-16-1", "Cluster", "postgres-16")
    pod("bare-old", "<none>", "<none>")
    pod("bare-new", "", "")
    pod("kube-apiserver-beast", "Node", "beast")
    pod("runners-x7k2p-runner-9zq4l", "EphemeralRunner", "runners-x7k2p-runner-9zq4l")
    pod("listener-abc", "AutoscalingListener", "listener-abc")
    pod("gone-0", "StatefulSet", "gone", ended=5 * HOUR)
    pod("long-gone-0", "StatefulSet", "long-gone", ended=2 * DAY)
    pod("twin-0", "StatefulSet", "ours")
    pod("twin-0", "StatefulSet", "theirs", namespace="home")
    pod("there-0", "StatefulSet", "there", cluster="there")
    for number in range(MAX_PODS + 1):
        pod(f"many-{number:04}", "StatefulSet", "many")
    for name, ago, ended in (("age-0", 30 * HOUR, 0.0), ("age-1", 10 * MINUTE, 0.0), ("age-2", 8 * HOUR, 3 * HOUR)):
        labels = {"namespace": "media", "pod": name, "uid": f"uid-{name}"}
        written.add("kube_pod_created", labels, lambda _, ago=ago: written.until - ago, min(ago, DAY), ended)  # type: ignore[misc]
    # A StatefulSet's pod after it was recreated: another uid, the same name.
    for uid, ago, ended in (("one", 20 * HOUR, 2 * HOUR), ("two", 110 * MINUTE, 0.0)):
        labels = {"namespace": "media", "pod": "again-0", "uid": uid}
        written.add("kube_pod_created", labels, lambda _, ago=ago: written.until - ago, ago, ended)  # type: ignore[misc]


PAST = (state,)


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("lone-abc-x2b4c", "lone-abc"),
        ("bare-set-x2b4c", "bare-set"),
        ("rollout-7f9c6d8b5-x2b4c", "canary"),
        ("migrate-x2b4c", "migrate"),
        ("nightly-29788325-x2b4c", "nightly"),
        ("unseen-7f9c6d8b5-x2b4c", None),  # its own name tells more
        ("postgres-16-1", "postgres-16"),
        ("bare-old", None),
        ("bare-new", None),
        ("kube-apiserver-beast", None),
        ("runners-x7k2p-runner-9zq4l", None),
        ("listener-abc", None),
        ("gone-0", "gone"),
        ("long-gone-0", None),
        ("never-0", None),
    ],
)
async def test_the_workload_of_a_pod(prometheus: Prometheus, pod: str, workload: str | None) -> None:
    found = await PodOwners(prometheus).owners([("media", pod)])
    assert found == ({("media", pod): workload} if workload else {})


async def test_many_pods_in_one_question(prometheus: Prometheus) -> None:
    asked = {("media", "twin-0"), ("home", "twin-0"), ("home", "gone-0"), ("media", "nightly-29788325-x2b4c")}
    assert await PodOwners(prometheus).owners(asked) == {
        ("media", "twin-0"): "ours",
        ("home", "twin-0"): "theirs",
        ("media", "nightly-29788325-x2b4c"): "nightly",
    }


async def test_no_pod_is_no_question() -> None:
    assert await PodOwners(Prometheus(PrometheusSettings(url="http://127.0.0.1:1"))).owners(()) == {}


async def test_only_so_many_pods_are_asked_for(prometheus: Prometheus) -> None:
    found = await PodOwners(prometheus).owners([("media", f"many-{number:04}") for number in range(MAX_PODS + 1)])
    assert len(found) == MAX_PODS
    assert set(found.values()) == {"many"}


async def test_only_the_configured_cluster_is_looked_at(story: tuple[Written, str]) -> None:
    door = Prometheus(PrometheusSettings(url=story[1], extra_labels={"cluster": "there"}))
    found = await PodOwners(door).owners([("media", "there-0"), ("media", "gone-0")])
    door.close()
    assert found == {("media", "there-0"): "there"}


@pytest.mark.parametrize("text", ['a"b', "a\\b", ".*", "a|b", '"} or up{a="', "\N{GRINNING FACE}", "a\nb", "-", ""])
async def test_hostile_names_find_nothing_and_break_nothing(prometheus: Prometheus, text: str) -> None:
    asked = [(text, "gone-0"), ("media", text), ("media", f"{text}-x2b4c"), ("media", "gone-0")]
    assert await PodOwners(prometheus).owners(asked) == {("media", "gone-0"): "gone"}


# -- age ------------------------------------------------------------------------------------------------------------


def inquiry(
    at: datetime, workload: str | None, *pods: str, kind: Kind = Kind.NOVEL, namespace: str | None = "media"
) -> Inquiry:
    return Inquiry(Subject("", namespace, workload, pods), frozenset({kind}), (), at, at)


@pytest.mark.parametrize(
    ("workload", "pods", "ages"),
    [
        ("age", (), {"age-0": 30 * HOUR, "age-1": 10 * MINUTE}),
        ("age", ("age-1",), {"age-1": 10 * MINUTE}),
        ("age", ("age-2", "age-9"), {"age-2": 8 * HOUR}),
        (None, ("age-0",), {"age-0": 30 * HOUR}),
        ("again", (), {"again-0": 110 * MINUTE}),
        ("again", ("again-0",), {"again-0": 110 * MINUTE}),
        ("invisible", (), {}),
        ('"} or up{a="', (), {}),
    ],
)
async def test_since_when_pods_exist(
    prometheus: Prometheus, written: Written, workload: str | None, pods: tuple[str, ...], ages: dict[str, float]
) -> None:
    found = await PodAges(prometheus).look(inquiry(written.at, workload, *pods))
    assert found.gaps == ()
    assert found.pods == PodFacts({pod: written.before(ago) for pod, ago in ages.items()})


@pytest.mark.parametrize(
    ("asked", "applies"),
    [
        (inquiry(datetime.now(UTC), "age"), True),
        (inquiry(datetime.now(UTC), None, "age-0", kind=Kind.VOLUME), True),
        (inquiry(datetime.now(UTC), "age", kind=Kind.OTHER), False),
    ],
)
async def test_it_needs_a_judged_kind(prometheus: Prometheus, asked: Inquiry, applies: bool) -> None:
    assert PodAges(prometheus).applies(asked) is applies


# -- the simulated cluster ------------------------------------------------------------------------------------------


@pytest.fixture
async def cluster(past: Past) -> AsyncIterator[Prometheus]:
    door = Prometheus(PrometheusSettings(url=past.url, timeout=timedelta(seconds=30)))
    yield door
    door.close()


async def test_every_pod_of_the_cluster_leads_to_its_workload(cluster: Prometheus, past: Past) -> None:
    expected = {(pod.namespace, pod.name): pod.workload.name for pod in past.cluster.pods}
    assert {pod.workload.kind for pod in past.cluster.pods} == {"Deployment", "StatefulSet", "DaemonSet"}
    assert await PodOwners(cluster).owners(expected) == expected


async def test_a_cron_job_s_deleted_pods_lead_to_it_for_a_day(cluster: Prometheus, past: Past) -> None:
    answer = await cluster.query('group by (pod) (last_over_time(kube_pod_owner{owner_kind="Job"}[2d]))')
    pods = [sample.labels["pod"] for sample in answer]
    found = await PodOwners(cluster).owners([("media", pod) for pod in pods])
    assert set(found.values()) == {"recyclarr"}
    assert 22 <= len(found) <= 25 < len(pods)


async def test_the_pods_of_the_cluster_are_as_old_as_they_are(cluster: Prometheus, past: Past) -> None:
    for name, namespace, days in (("sonarr", "media", DAYS / 2), ("home-assistant", "home", DAYS)):
        (pod,) = past.cluster.pods_of(namespace, name)
        found = await PodAges(cluster).look(inquiry(past.at, name, namespace=namespace))
        assert found.pods == PodFacts({pod.name: datetime.fromtimestamp(past.until - days * DAY, UTC)})
