"""Wrong credentials in any number lock nobody out, fill no log, and are told apart in the metrics."""

import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from kit import Process, body, novel, tocsin
from tocsin.web.authentication import MOST_OF_A_CLIENT

RIGHT = "Bearer sekret"


async def counted(session: aiohttp.ClientSession, process: Process) -> dict[str, float]:
    """Answers to webhooks by status."""
    async with session.get(f"{process.url}/metrics") as answer:
        found = re.findall(r'^tocsin_webhooks_total\{code="(\d+)"\} (\S+)$', await answer.text(), re.MULTILINE)
    return {code: float(number) for code, number in found if float(number)}


async def test_right_credentials_pass_in_the_middle_of_a_flood(tmp_path: Path) -> None:
    async with tocsin(tmp_path, {"server": {"bearer": "sekret"}}) as process, aiohttp.ClientSession() as session:

        async def post(authorization: str) -> aiohttp.ClientResponse:
            headers = {"Authorization": authorization}
            async with session.post(f"{process.url}/webhook", data=body(novel()), headers=headers) as answer:
                await answer.read()
                return answer

        for number in range(MOST_OF_A_CLIENT + 20):
            answer = await post(f"Bearer guess-{number}")
            cut_off = number >= MOST_OF_A_CLIENT
            assert answer.status == (429 if cut_off else 401)
            assert (answer.headers.get("Connection") == "close") is cut_off
            assert ("Retry-After" in answer.headers) is cut_off
            assert ("WWW-Authenticate" in answer.headers) is not cut_off
            if number % 10 == 9:
                assert (await post(RIGHT)).status == 200, "from the same address"
        assert await counted(session, process) == {"200": 5, "401": MOST_OF_A_CLIENT, "429": 20}
    (line,) = [entry for entry in process.log if entry["event"] == "webhook_unauthorized"]
    assert (line["level"], line["client"], line["refused"]) == ("warning", "127.0.0.1", 1)


async def test_two_headers_are_refused_whichever_is_right(tmp_path: Path) -> None:
    async with tocsin(tmp_path, {"server": {"bearer": "sekret"}}) as process, aiohttp.ClientSession() as session:
        for pair in ((RIGHT, "Bearer x"), ("Bearer x", RIGHT), (RIGHT, RIGHT)):
            headers = [("Authorization", each) for each in pair]
            async with session.post(f"{process.url}/webhook", data=body(novel()), headers=headers) as answer:
                assert answer.status == 401


async def test_who_is_not_admitted_is_answered_before_the_body_is_sent(tmp_path: Path) -> None:
    async with tocsin(tmp_path, {"server": {"bearer": "sekret"}}) as process:
        address = urlsplit(process.url)
        with socket.create_connection((address.hostname, address.port), timeout=20) as line:
            line.sendall(b"POST /webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n{")
            assert line.recv(12) == b"HTTP/1.1 401"
