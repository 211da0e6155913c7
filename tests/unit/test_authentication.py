"""Who may post, and what wrong credentials cost."""

import base64
import hmac
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.web import authentication
from tocsin.web.authentication import MOST_CLIENTS, MOST_IN_ALL, MOST_OF_A_CLIENT, WINDOW, Gate, Refusals
from tocsin.web.settings import ServerSettings

BEARER = Gate(ServerSettings(bearer="sekret"))
BASIC = Gate(ServerSettings(username="alertmanager", password="pässword:with colon"))


def pair(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


RIGHT = pair("alertmanager:pässword:with colon")


@pytest.mark.parametrize(
    ("gate", "header"),
    [
        (BEARER, "Bearer sekret"),
        (BEARER, "bearer  sekret "),
        (BASIC, f"Basic {RIGHT}"),
        (BASIC, f"BASIC {RIGHT}"),
    ],
)
def test_right_credentials_pass(gate: Gate, header: str) -> None:
    assert gate.admits([header])


@pytest.mark.parametrize(
    "header",
    [
        *("", "Bearer", "Bearer ", "sekret", "Bearersekret", "Basic sekret", "Bearer sekre", "Bearer sekrets"),
        *(
            "Bearer SEKRET",
            "Bearer s\u00e9kret",
            "Bearer sekret\udcff",
            "Bearer sekret\0",
            "Bearer sekret,Bearer sekret",
        ),
    ],
)
def test_any_other_bearer_does_not(header: str) -> None:
    assert not BEARER.admits([header])


@pytest.mark.parametrize(
    "header",
    [
        *("", "Basic", "Basic !!!!", "Basic é", f"Bearer {RIGHT}", f"Basic {RIGHT}x", f"Basic {RIGHT[:-4]}"),
        *(f"Basic {pair(text)}" for text in ("alertmanager", "alertmanager:", ":pässword:with colon", ":", b"\xff:x")),
        *(f"Basic {pair(text)}" for text in ("Alertmanager:pässword:with colon", "alertmanager:password:with colon")),
        f"Basic {pair('alertmanager:pässword:with colon'.encode('latin-1'))}",
    ],
)
def test_any_other_pair_does_not(header: str) -> None:
    assert not BASIC.admits([header])


@pytest.mark.parametrize(("gate", "right"), [(BEARER, "Bearer sekret"), (BASIC, f"Basic {RIGHT}")])
def test_no_header_and_two_headers_do_not_even_with_the_right_one(gate: Gate, right: str) -> None:
    assert not gate.admits([])
    assert not gate.admits([right, "Bearer another"])
    assert not gate.admits(["Bearer another", right])
    assert not gate.admits([right, right])


@given(st.lists(st.text(), max_size=3))
def test_where_nothing_is_configured_everybody_passes(headers: list[str]) -> None:
    assert Gate(ServerSettings()).admits(headers)


@given(st.binary(max_size=80))
def test_no_bytes_of_a_header_raise_or_pass(raw: bytes) -> None:
    header = raw.decode("utf-8", "surrogateescape")  # as the server hands them over
    for gate in (BEARER, BASIC):
        for scheme in ("", "Bearer ", "Basic "):
            assert not gate.admits([scheme + header])


def test_what_is_compared_has_one_length_whatever_was_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    really: Callable[..., bool] = hmac.compare_digest

    def watch(left: Any, right: Any) -> bool:
        compared.append((len(left), len(right)))
        return really(left, right)

    monkeypatch.setattr(authentication.hmac, "compare_digest", watch)
    for header in ("", "Bearer s", "Bearer sekret", f"Bearer {'x' * 5000}", "Basic x", f"Basic {RIGHT}"):
        BEARER.admits([header])
        BASIC.admits([header])
    assert len({length for pair in compared for length in pair}) == 1
    assert len(compared) == 6 + 2 * 6, "user and password are both compared, whichever is wrong"


# -- what failures cost ----


def test_a_client_with_a_few_failures_is_told_so_and_one_with_many_is_cut_off() -> None:
    refusals = Refusals()
    assert [refusals.count("192.0.2.1", 5).too_many for _ in range(MOST_OF_A_CLIENT + 2)] == [
        *[False] * MOST_OF_A_CLIENT,
        *(True, True),
    ]
    assert not refusals.count("192.0.2.2", 5).too_many, "others are not concerned"
    assert not refusals.count("192.0.2.1", 5 + WINDOW).too_many, "nor is it, a window later"


def test_many_clients_share_one_limit() -> None:
    refusals = Refusals()
    answers = [refusals.count(f"192.0.2.{number % 100}", 0).too_many for number in range(MOST_IN_ALL + 1)]
    assert answers == [*[False] * MOST_IN_ALL, True]


@pytest.mark.parametrize(
    ("address", "same", "other"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", "2001:db8:0:1::1"),
        ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2"),
        ("fe80::1%eth0", "fe80::2", "192.0.2.1"),
        ("a socket", "a socket", "192.0.2.1"),
    ],
)
def test_a_host_is_one_client_whichever_of_its_addresses_it_takes(address: str, same: str, other: str) -> None:
    refusals = Refusals()
    for _ in range(MOST_OF_A_CLIENT):
        refusals.count(address, 0)
    assert not refusals.count(other, 0).too_many
    assert refusals.count(same, 0).too_many


def test_no_more_clients_are_remembered_than_fit() -> None:
    refusals = Refusals()
    for number in range(MOST_CLIENTS + 50):
        refusals.count(f"198.51.{number // 256}.{number % 256}", 0)
    assert len(refusals._by_client) == MOST_CLIENTS


def test_a_flood_is_a_line_of_the_log_a_minute_that_counts_the_rest() -> None:
    refusals = Refusals()
    told = [refusals.count("192.0.2.1", second / 10).untold for second in range(1300)]
    assert [(at / 10, count) for at, count in enumerate(told) if count] == [(0, 1), (60, 600), (120, 600)]
