"""Which pods a selector selects, by labels and by the workload's name alone."""

import pytest

from tocsin.policy.document import Requirement, Selector
from tocsin.policy.parse import selector
from tocsin.policy.selector import Fit, fit, selects

NAME = "app.kubernetes.io/name"
CONTROLLER = "app.kubernetes.io/controller"


@pytest.mark.parametrize(
    ("written", "labels", "selected"),
    [
        ({}, {}, True),
        ({"matchLabels": {"k8s:app": "a"}}, {"app": "a"}, True),
        ({"matchLabels": {"reserved:app": "a"}}, {"app": "a"}, False),
        ({"matchLabels": {"app": "a"}}, {}, False),
        ({"matchLabels": {"app": True}}, {"app": "true"}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["a", "b"]}]}, {"app": "b"}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, {}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["a"]}]}, {"app": "a"}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, {"app": ""}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, {"app": ""}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Gt", "values": ["1"]}]}, {"app": "2"}, False),
    ],
)
def test_by_labels(written: dict[str, object], labels: dict[str, str], selected: bool) -> None:
    assert selects(selector(written), labels) is selected


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ({"matchLabels": {NAME: "immich-server"}}, Fit.NAMED),
        ({"matchLabels": {"k8s:k8s-app": "immich-server"}}, Fit.NAMED),
        ({"matchLabels": {NAME: "immich", CONTROLLER: "server"}}, Fit.NAMED),
        ({"matchLabels": {NAME: "immich-server", CONTROLLER: "main"}}, Fit.LIKELY),
        ({"matchLabels": {NAME: "immich", CONTROLLER: "machine-learning"}}, Fit.NONE),
        ({"matchLabels": {NAME: "immich"}}, Fit.NONE),
        ({"matchLabels": {"egress": "world"}}, Fit.NONE),
        ({}, Fit.BROAD),
        ({"matchLabels": {"io.kubernetes.pod.namespace": "media"}}, Fit.BROAD),
        ({"matchLabels": {"k8s:io.kubernetes.pod.namespace": "home"}}, Fit.NONE),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["immich-server"]}]}, Fit.NONE),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["other"]}]}, Fit.BROAD),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, Fit.NONE),
        ({"matchExpressions": [{"key": NAME, "operator": "In", "values": ["a", "immich-server"]}]}, Fit.NAMED),
    ],
)
def test_by_name(written: dict[str, object], found: Fit) -> None:
    assert fit(selector(written), "media", "immich-server") is found


def test_a_node_selector_selects_no_pod() -> None:
    assert fit(None, "media", "x") is Fit.NONE
    assert fit(Selector((Requirement("x", "Unknown"),)), "media", "x") is Fit.NONE
