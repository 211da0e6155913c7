"""What a receiver costs that checks each webhook with pydantic and keeps nothing: read, validate, 200."""

from typing import Annotated, Literal

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, FailFast, NonNegativeInt, TypeAdapter

Labels = Annotated[dict[str, str], FailFast()]


class Alert(BaseModel):
    model_config = ConfigDict(extra="ignore")

    status: Literal["firing", "resolved"]
    labels: Labels = {}
    annotations: Labels = {}
    startsAt: AwareDatetime  # noqa: N815 - Alertmanager's word
    endsAt: AwareDatetime | None = None  # noqa: N815
    generatorURL: str | None = None  # noqa: N815
    fingerprint: str | None = None


class Webhook(BaseModel):
    model_config = ConfigDict(extra="ignore")

    version: Literal["4"]
    groupKey: str | None = None  # noqa: N815
    receiver: str | None = None
    externalURL: str | None = None  # noqa: N815
    truncatedAlerts: NonNegativeInt = 0  # noqa: N815
    alerts: Annotated[list[Alert], FailFast()]


WEBHOOK = TypeAdapter(Webhook)


async def handle(request: web.Request) -> web.Response:
    webhook = WEBHOOK.validate_json(await request.read(), strict=True)
    return web.json_response({"alerts": len(webhook.alerts)})


def main() -> None:
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/webhook", handle)
    web.run_app(app, host="127.0.0.1", port=0, access_log=None)


main()
