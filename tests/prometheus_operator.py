"""What prometheus-operator makes of AlertmanagerConfig objects: the configuration that Alertmanager reads.

Follows its pkg/alertmanager/amcfg.go for what our objects use. A field that is not known here fails the test.
"""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Literal

Strategy = Literal["None", "OnNamespace", "OnNamespaceExceptForAlertmanagerNamespace"]
Manifest = Mapping[str, Any]
Secrets = Mapping[tuple[str, str], str]
"""Values by (name of the Secret, key)."""

_ROUTE = {"receiver", "matchers", "groupBy", "groupWait", "groupInterval", "repeatInterval"}
_RECEIVER = {"name", "webhookConfigs", "pushoverConfigs"}
_SECRETS = {"credentials", "userKey", "token"}


def alertmanager_configuration(
    objects: Sequence[Manifest],
    main: Mapping[str, Any],
    secrets: Secrets,
    *,
    strategy: Strategy = "OnNamespace",
    alertmanager_namespace: str = "observability",
) -> dict[str, Any]:
    """Adds the routes and receivers of `objects` to the `main` configuration.

    `strategy` is spec.alertmanagerConfigMatcherStrategy.type of the Alertmanager object; OnNamespace is its default.
    """
    configuration = deepcopy(dict(main))
    routes = []
    for each in sorted(objects, key=lambda manifest: _key(manifest)):
        namespace, prefix = each["metadata"]["namespace"], _key(each)
        route = _route(each["spec"]["route"], prefix)
        exempt = strategy == "None" or (strategy != "OnNamespace" and namespace == alertmanager_namespace)
        if not exempt:
            route["matchers"].append(f'namespace="{namespace}"')
        routes.append(route | {"continue": True})
        configuration["receivers"] += [_receiver(receiver, prefix, secrets) for receiver in each["spec"]["receivers"]]
    configuration["route"]["routes"] = routes + configuration["route"].get("routes", [])
    return configuration


def _key(manifest: Manifest) -> str:
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"


def _route(route: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    assert route.keys() <= _ROUTE, f"unknown in a route: {route.keys() - _ROUTE}"
    matchers = [f'{each["name"]}{each["matchType"]}"{each["value"]}"' for each in route["matchers"]]
    converted = {_snake(key): value for key, value in route.items()}
    return converted | {"receiver": f"{prefix}/{route['receiver']}", "matchers": matchers}


def _receiver(receiver: Mapping[str, Any], prefix: str, secrets: Secrets) -> dict[str, Any]:
    assert receiver.keys() <= _RECEIVER, f"unknown in a receiver: {receiver.keys() - _RECEIVER}"
    return _converted(receiver, secrets) | {"name": f"{prefix}/{receiver['name']}"}  # type: ignore[no-any-return]


def _converted(value: Any, secrets: Secrets, at: str = "") -> Any:
    if at in _SECRETS:
        return secrets[value["name"], value["key"]]
    if isinstance(value, Mapping):
        return {_snake(key): _converted(each, secrets, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_converted(each, secrets) for each in value]
    return value


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name)
