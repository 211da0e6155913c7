"""What a comment beside a rule comes to. To take a bounded workload for an open one is the mistake to avoid."""

import pytest

from tocsin.policy import remarks

NOT_OPEN = [
    # Somebody is named, known or not.
    "web search through Ecosia",
    "every webhook goes to Rocketchat",
    "the relay servers of Teamspeak can't be enumerated",
    "Ubereats's hosts cannot be listed",
    # It is denied, before or after, near or far, also in other words.
    "has no need whatsoever to be able to reach arbitrary sites",
    "nobody may open arbitrary websites from here",
    "federation with other servers is switched off",
    "torrents are handled by the other pod",
    "keine Torrents in diesem Pod",
    "until v2 it fetched arbitrary pages",
    # It is a risk, a rule, a plan or a question.
    "risk: a compromised pod could send data to arbitrary hosts",
    "compliance rule forbids pods from reaching arbitrary destinations",
    "careful: this opens arbitrary sites, should be restricted",
    "why would it need random websites?",
    # It is one's own, or a single receiver.
    "crawls our intranet",
    "federation with the partner's server",
    "visits every page of our shop",
    # It comes in, or is about addresses.
    "webhooks arrive from anywhere",
    "answers from random ips",
]
OPEN = [
    "users can add any feed",
    "fetches arbitrary web pages",
    "BitTorrent peers and trackers",
    "CI jobs run whatever they want",
    "opens user-supplied urls",
    "needs to browse the web",
    "not limited to a list: arbitrary sites",
]


@pytest.mark.parametrize("text", NOT_OPEN)
def test_what_must_not_be_taken_for_open(text: str) -> None:
    found = remarks.read(text).posture
    assert found is None or found.value != "unbounded"


@pytest.mark.parametrize("text", OPEN)
def test_what_is_open_by_nature(text: str) -> None:
    found = remarks.read(text).posture
    assert found is not None
    assert found.value == "unbounded"


@pytest.mark.parametrize(
    ("text", "posture"),
    [
        ("never reaches the LAN, cloud service", None),
        ("must never leave the LAN", "lan_only"),
        ("no internet needed", "lan_only"),
        ("LAN only during setup, the vendor's cloud later", None),
        ("only talks to GitHub", "bounded"),
        ("GitHub, TMDB and so on", "between"),
        ("npmjs, pypi, and whatever else a page asks for", "between"),
        ("not only github.com, repositories live all over the place", None),
        ("HTTPS egress", None),
        ("Discord webhook notifications", "bounded"),
    ],
)
def test_other_classes(text: str, posture: str | None) -> None:
    found = remarks.read(text).posture
    assert (found.value if found else None) == posture
