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
TAKEN_BACK = [
    # Somebody looks at the destinations first, or they are few.
    "User uploads are fetched from arbitrary URLs, but only after validation against allowlist.txt",
    "users could supply arbitrary URLs; we validate them against a list (partner.at, lieferant.ch)",
    "fetches user-supplied URLs. Each one is checked against the allow-list first",
    "tenants can add feeds; an admin has to approve the host",
    "user-defined endpoints (only internal ones are accepted)",
    "user-supplied URLs, restricted to the group's domains",
    "user-selected feeds from our catalogue",
    "any registry we mirror",
    "any page below docs.vendor.cloud",
    "users may enter any URL, though not without validation",
    # They are inside, or nobody gets out.
    "arbitrary destinations inside the cluster",
    "user-defined targets in the same VPC",
    "user-supplied hosts, rfc1918 space",
    "untrusted code, locked down network",
    "untrusted jobs must not get out",
    "runs arbitrary code, air-gapped",
    "runs user-submitted scripts; these may never talk to the outside",
    "CI jobs run anything, but the network is cut",
    # Not yet, no longer, elsewhere, or wished for.
    "users could add feeds before v2",
    "planned: let users add arbitrary feeds",
    "we will allow user-defined URLs in Q3",
    "next release lets tenants configure any webhook",
    "back when users could subscribe to feeds",
    "copied from webhook-dispatcher, where users define the URLs",
    "borrowed from linkding where users add URLs",
    "like the webhook relay, which posts to arbitrary URLs",
    "the neighbour pod fetches arbitrary urls",
    "security wants a list of URLs, users want any URL",
    "the product team would like to support arbitrary webhooks",
    # It comes in.
    "any site that embeds us calls back here",
    "Googlebot crawls us, we do not crawl",
    "crawlers hit this service all day",
    # Two workloads, or another app decides.
    "the crawler visits arbitrary websites, the uploader only needs its bucket",
    "the worker fetches arbitrary URLs, the api talks to postgres",
    "worker: user-defined URLs, api: the database",
    "whatever trackers prowlarr hands it",
    "whatever URL the scheduler sends",
    "stores user-defined URLs in postgres",
]
OTHERS_HAVE_OTHERS = [
    "OIDC discovery against the customers' own IdPs, every customer has another one",
    "SAML/OIDC with whatever IdP the customer brings",
    "per-tenant SMTP servers",
    "S3, but each customer brings their own bucket/endpoint",
    "customer-hosted git servers (self-managed GitLab, Bitbucket)",
    "oauth2 with GitHub, plus user profiles' websites",
    "Slack, Teams or whichever chat the tenant uses",
    "OIDC. Tenants have different issuers",
    "bring your own S3 bucket",
    "SMTP relay differs per organisation",
    "the Jira API of each team",
    "GitLab instances of contractors",
]
OPEN = [
    "users can add any feed",
    "fetches arbitrary web pages",
    "BitTorrent peers and trackers",
    "CI jobs run whatever they want",
    "opens user-supplied urls",
    "needs to browse the web",
    "not limited to a list: arbitrary sites",
    "arbitrary URLs, cannot be allow-listed",
    "fetches arbitrary websites; an allowlist is impossible",
    "any website, HTTPS only",
    "Needs any site: it is a read-it-later app",
    "not only github.com but any repository users add",
    "SMTP out, MX of whoever I'm mailing",
    "forward proxy: reaches whatever the clients ask for",
    "blockchain peers, cannot be enumerated",
    "opens any link in Jira tickets",
]


@pytest.mark.parametrize("text", NOT_OPEN + TAKEN_BACK)
def test_what_must_not_be_taken_for_open(text: str) -> None:
    found = remarks.read(text).posture
    assert found is None or found.value != "unbounded"


@pytest.mark.parametrize("text", OTHERS_HAVE_OTHERS)
def test_a_name_or_a_protocol_yields_where_others_have_others(text: str) -> None:
    found = remarks.read(text).posture
    assert found is None or found.value == "between"


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
        ("only lieferant.ch and partner.at", "bounded"),
        ("api.firma.cloud", "bounded"),
        ("*.acme.example", "bounded"),
        ("OIDC login against login.microsoftonline.com (any of its edge nodes)", "bounded"),
        ("polls GitHub every 5 minutes", "bounded"),
        ("backup to S3 each night", "bounded"),
        ("users log in with Google", "bounded"),
        ("webhooks from Stripe", None),
        ("crawled by search engines", None),
    ],
)
def test_other_classes(text: str, posture: str | None) -> None:
    found = remarks.read(text).posture
    assert (found.value if found else None) == posture
