"""Which pods a selector selects, by labels and by the workload's name alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.policy.document import Requirement, Selector
from tocsin.policy.fields import selector
from tocsin.policy.selector import Answer, Fit, fit, selects, specificity

NAME = "app.kubernetes.io/name"
CONTROLLER = "app.kubernetes.io/controller"


YES, MAYBE, NO = Answer.YES, Answer.MAYBE, Answer.NO
POD = (
    ("app", "a"),
    ("part", "x"),
    ("part", "y"),
    ("tier", "t"),
    ("tier", None),
    ("io.kubernetes.pod.namespace", "media"),
)


def ask(key: str, operator: str, *values: str) -> Selector:
    return selector({"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]})


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Selector(), YES),
        (ask("k8s:app", "In", "a"), YES),
        (ask("any:app", "In", "b", "a"), YES),
        (ask("app", "In", "b"), NO),
        (ask("app", "In"), NO),
        (ask("app", "NotIn", "a"), NO),
        (ask("app", "NotIn", "b"), YES),
        (ask("app", "Exists"), YES),
        (ask("app", "DoesNotExist"), NO),
        (ask("app", "Gt", "1"), NO),
        (ask("part", "In", "x"), MAYBE),
        (ask("part", "In", "x", "y"), YES),
        (ask("part", "In", "z"), NO),
        (ask("part", "NotIn", "x"), MAYBE),
        (ask("part", "Exists"), YES),
        (ask("tier", "In", "t"), MAYBE),
        (ask("tier", "Exists"), MAYBE),
        (ask("tier", "NotIn", "t"), MAYBE),
        (ask("tier", "NotIn", "u"), YES),
        (ask("app", "In", "${APP}"), MAYBE),
        (ask("app", "NotIn", "${APP}"), MAYBE),
        (ask("io.kubernetes.pod.namespace", "In", "media"), YES),
        (ask("k8s:io.kubernetes.pod.namespace", "In", "home"), NO),
        (ask("io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name", "In", "media"), YES),
        (ask("io.cilium.k8s.namespace.labels.team", "In", "a"), MAYBE),
        (ask("io.cilium.k8s.policy.cluster", "In", "default"), MAYBE),
        (ask("io.cilium.k8s.policy.serviceaccount", "Exists"), MAYBE),
        (ask("container:image", "Exists"), MAYBE),
        (ask("reserved:host", "Exists"), NO),
        (ask("reserved:host", "DoesNotExist"), YES),
        (ask("k8s.io/app", "In", "a"), NO),
    ],
)
def test_by_labels(asked: Selector, answer: Answer) -> None:
    assert selects(asked, POD) is answer


@pytest.mark.parametrize("operator", ["In", "NotIn", "Exists", "DoesNotExist"])
def test_what_labels_do_not_tell(operator: str) -> None:
    asked = ask("other", operator, "a")
    assert selects(asked, POD) is (YES if operator in ("NotIn", "DoesNotExist") else NO)
    assert selects(asked, POD, complete=False) is MAYBE
    assert selects(ask("other", "Gt", "1"), POD, complete=False) is NO


def test_every_requirement_must_hold() -> None:
    both = {"matchLabels": {"app": "a", "part": "x"}, "matchExpressions": [{"key": "app", "operator": "Exists"}]}
    assert selects(selector(both), POD) is MAYBE
    assert selects(selector(both | {"matchLabels": {"app": "b", "part": "x"}}), POD) is NO


keys = st.sampled_from(["a", "b", "c"])
texts = st.sampled_from(["x", "y", "z"])
requirements = st.builds(
    Requirement,
    keys,
    st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt"]),
    st.frozensets(texts, min_size=1),
)
selectors = st.builds(Selector, st.lists(requirements, max_size=4).map(tuple))


def plainly(item: Requirement, value: str | None) -> bool:
    """Kubernetes' own meaning, with two values."""
    match item.operator:
        case "In":
            return value in item.values
        case "NotIn":
            return value not in item.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


@given(selectors, st.dictionaries(keys, texts))
def test_complete_labels_give_two_valued_answers(asked: Selector, labels: dict[str, str]) -> None:
    plain = all(plainly(item, labels.get(item.key)) for item in asked.requirements)
    assert selects(asked, labels.items()) is (YES if plain else NO)


@given(selectors, st.dictionaries(keys, texts), st.dictionaries(keys, texts))
def test_knowing_more_never_turns_an_answer_around(
    asked: Selector, known: dict[str, str], unknown: dict[str, str]
) -> None:
    early, late = selects(asked, known.items(), complete=False), selects(asked, (unknown | known).items())
    assert early in (MAYBE, late)


@pytest.mark.parametrize(
    ("asked", "clusterwide", "how"),
    [
        (Selector(), True, 0),
        (Selector(), False, 1),
        (ask("app", "NotIn", "a"), True, 0),
        (ask("io.kubernetes.pod.namespace", "In", "media"), True, 1),
        (ask("io.kubernetes.pod.namespace", "In", "media"), False, 1),
        (ask("app", "In", "a"), False, 2),
        (ask("egress.example.com/world", "Exists"), True, 2),
        (selector({"matchLabels": {"app": "a", "part": "x"}}), False, 3),
    ],
)
def test_how_closely_a_selector_looks(asked: Selector, clusterwide: bool, how: int) -> None:
    assert specificity(asked, clusterwide=clusterwide) == how


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
    assert selects(None, ()) is Answer.NO
    assert fit(Selector((Requirement("x", "Unknown"),)), "media", "x") is Fit.NONE
