"""docs/openapi.yaml is what the program prints, and what the running process does."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode, openapi

from kit import Process, body, novel, tocsin, until
from tocsin import openapi as description

TOP = Path(__file__).parents[2]
DOCUMENT = description.document()
RECORDED = sorted((TOP / "tests" / "fixtures" / "alertmanager").glob("*/*.json"))
LENIENT = {"negative_data_rejection", "positive_data_acceptance"}
"""JSON Schema cannot say all that is asked of an instant, and tocsin ignores media types and query strings. What is
refused, and why, is in test_webhook.py and test_alertmanager.py."""


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    async with tocsin(tmp_path, {"mode": "shadow"}) as running:
        await until(lambda: "story_loaded" in [entry["event"] for entry in running.log])
        yield running


def test_the_committed_file_is_what_is_printed() -> None:
    assert (TOP / "docs" / "openapi.yaml").read_text(encoding="utf-8") == description.text()


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_recorded_webhook_fits_the_description(path: Path) -> None:
    jsonschema.validate(json.loads(path.read_bytes()), _webhook(), format_checker=jsonschema.FormatChecker())


def _webhook() -> dict[str, object]:
    return {"$ref": "#/components/schemas/Webhook", "components": DOCUMENT["components"]}


def _answered(process: Process, mode: GenerationMode, examples: int) -> dict[int, int]:
    """Sends what the description makes up to every path, checks each answer, and counts them by status."""
    statuses: dict[int, int] = {}
    schema = openapi.from_dict(DOCUMENT)
    checks = [check for check in schemathesis.checks.CHECKS.get_all() if check.__name__ not in LENIENT]
    assert len(checks) >= 8
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=examples if operation.method == "post" else 5,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def send(case: Case) -> None:
            answer = case.call_and_validate(base_url=process.url, checks=checks, timeout=20)
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1

        if mode is GenerationMode.POSITIVE or operation.body:
            send()
    return statuses


@pytest.mark.parametrize("mode", GenerationMode)
async def test_the_process_answers_as_described(process: Process, mode: GenerationMode) -> None:
    statuses = await asyncio.to_thread(_answered, process, mode, 250)
    assert set(statuses) <= {200, 400}
    assert statuses[400 if mode is GenerationMode.NEGATIVE else 200] >= 50


async def test_every_described_path_and_answer_is_served(process: Process) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(process.url.rpartition(":")[2]))
    for path, methods in DOCUMENT["paths"].items():
        for method in methods:
            data = body(novel()) if method == "post" else b""
            head = f"{method.upper()} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(data)}\r\n\r\n"
            writer.write(head.encode() + data)
            assert (await reader.readline()).split()[1] == b"200", path
            headers = dict(
                line.split(": ", 1) for line in (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n") if line
            )
            sent = await reader.readexactly(int(headers["Content-Length"]))
            ((media, described),) = methods[method]["responses"]["200"]["content"].items()
            assert headers["Content-Type"].startswith(media)
            if media == "application/json":
                schema = {**described["schema"], "components": DOCUMENT["components"]}
                jsonschema.validate(json.loads(sent), schema)
    writer.close()
