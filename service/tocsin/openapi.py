"""The service as OpenAPI 3.1 describes it: what it answers, and the webhook as it is really read."""

from typing import Any

import yaml

from tocsin import __version__, alertmanager
from tocsin.metrics import CONTENT_TYPE
from tocsin.model import Accepted
from tocsin.web.settings import ServerSettings

_SCHEMAS = "#/components/schemas/"
_HEAD = "# Printed by `tocsin schema --openapi`.\n"


def text() -> str:
    """The text of docs/openapi.yaml."""
    return _HEAD + yaml.safe_dump(document(), sort_keys=False, width=110, allow_unicode=True)


def document() -> dict[str, Any]:
    """The description, as JSON would hold it."""
    webhook = alertmanager.schema(f"{_SCHEMAS}{{model}}")
    parts = {name.lstrip("_"): part for name, part in webhook.pop("$defs").items()}
    webhook["properties"]["alerts"]["items"]["$ref"] = f"{_SCHEMAS}Alert"
    for part in (webhook, *parts.values()):
        for field in part["properties"].values():
            del field["title"]  # made up from the name
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tocsin",
            "version": __version__,
            "description": "Receives egress alerts from Alertmanager. 5xx and transport errors are tried again by "
            "Alertmanager, 4xx only with the next flush of the group.",
        },
        "paths": {
            "/webhook": {"post": _webhook()},
            "/healthz": {"get": _plain("Whether the process answers.", {"200": _json("It does.", "Alive")})},
            "/readyz": {
                "get": _plain(
                    "Whether it could take a webhook now: the store writes, every worker runs.",
                    {"200": _json("It could.", "Readiness"), "503": _json("It could not.", "Readiness")},
                )
            },
            "/metrics": {
                "get": _plain(
                    "Metrics, for Prometheus.", {"200": _text("All of them.", CONTENT_TYPE.partition(";")[0])}
                )
            },
        },
        "components": {
            "schemas": {"Webhook": webhook, **parts, **_answers()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "Where `server.bearer` is set."},
                "basic": {"type": "http", "scheme": "basic", "description": "Where `server.username` is set."},
            },
        },
    }


def _webhook() -> dict[str, Any]:
    most = ServerSettings.model_fields["max_body"].default
    return {
        "operationId": "webhook",
        "summary": "Takes one webhook of Alertmanager, version 4. Answered 200 only once it is stored durably.",
        "security": [{}, {"bearer": []}, {"basic": []}],
        "requestBody": {
            "required": True,
            "description": "JSON, whatever its media type says. Keys that are not named here are ignored. gzip and "
            "deflate are unpacked.",
            "content": {"application/json": {"schema": {"$ref": f"{_SCHEMAS}Webhook"}}},
        },
        "responses": {
            "200": _json("Stored.", "Accepted"),
            "400": _json("No webhook of version 4, or no HTTP. The reason says where.", "Error", plain=True),
            "401": _json("Missing or wrong credentials.", "Error", header="WWW-Authenticate"),
            "413": _json(
                f"Larger than `server.max_body` (by default {most} bytes), more than "
                f"{alertmanager.MOST_ALERTS} alerts, or more than {alertmanager.MOST_VALUES} values.",
                "Error",
            ),
            "429": _json("Wrong credentials too often.", "Error", header="Retry-After"),
            "503": _json("Cannot be stored now; the same webhook may be taken later.", "Error"),
        },
    }


def _answers() -> dict[str, Any]:
    number = {"type": "integer", "minimum": 0}
    identity = {"type": "string", "pattern": "^[0-9a-f]{24}$"}
    accepted = dict(zip(Accepted.__dataclass_fields__, (identity, number), strict=True))
    return {
        "Accepted": _object(accepted),
        "Error": _object({"error": {"type": "string", "description": "Says what is wrong, for a person."}}),
        "Alive": _object({"alive": {"const": True}}),
        "Readiness": _object(
            {"ready": {"type": "boolean"}, "wrong": {"type": "array", "items": {"type": "string"}}},
        ),
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _plain(summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": {**responses, "400": _text("No HTTP.", "text/plain")}}


def _json(description: str, schema: str, *, plain: bool = False, header: str = "") -> dict[str, Any]:
    content: dict[str, Any] = {"application/json": {"schema": {"$ref": f"{_SCHEMAS}{schema}"}}}
    if plain:
        content["text/plain"] = {"schema": {"type": "string"}}
    headers = {"headers": {header: {"schema": {"type": "string"}}}} if header else {}
    return {"description": description, **headers, "content": content}


def _text(description: str, media: str) -> dict[str, Any]:
    return {"description": description, "content": {media: {"schema": {"type": "string"}}}}
