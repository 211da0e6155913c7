"""Which comment belongs to what, what is no comment, and what comments say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.model import Posture
from tocsin.policy import agreed
from tocsin.policy.comments import Commented, is_code
from tocsin.policy.document import Policy
from tocsin.policy.parse import parse
from tocsin.policy.remarks import Remark, read

POLICY = """\
# yaml-language-server: $schema=https://example.com/schema.json
# the reader of the house
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata:
  name: reader # of feeds
  annotations:
    note: "not # a comment"
    text: | # kept
      # not a comment either
      x
spec:
  # who it is
  endpointSelector:
    matchLabels: {app: reader}
  description: Reads feeds.
  # ingress: who may come in
  ingress:
    - fromEntities: [cluster] # any pod
      # inside ingress
  # what it needs
  egress:
    # names first
    - toEndpoints:
        - matchLabels: {k8s-app: kube-dns} # the resolver
    # the world,
    # for feeds
    - toEntities:
        # - cluster
        - world # all of it
      toPorts:
        # plain and encrypted
        - ports: [{port: "443"}]
        # - ports: [{port: "80"}]

    # set apart

    - toCIDR: [10.0.0.0/8]
      # end of the list
  egressDeny:
    # never
    - toCIDR: [192.0.2.0/24]
"""


def the(text: str) -> Policy:
    parsed = parse(text)
    assert not parsed.problems
    (policy,) = parsed.policies
    return policy


@pytest.fixture(scope="module")
def policy() -> Policy:
    return the(POLICY)


def test_the_comments_of_entries(policy: Policy) -> None:
    (rule,) = policy.rules
    assert [entry.comments for entry in rule.egress] == [
        ("names first", "the resolver"),
        ("the world,", "for feeds", "all of it", "plain and encrypted"),
        ("end of the list",),
    ]
    assert [entry.comments for entry in rule.egress_deny] == [("never",)]


def test_the_comments_of_peers(policy: Policy) -> None:
    assert [peer.comments for entry in policy.rules[0].egress for peer in entry.peers] == [
        ("the resolver",),
        ("all of it",),
        (),
    ]


def test_the_comments_of_the_policy_leave_ingress_out(policy: Policy) -> None:
    assert policy.comments == (
        "the reader of the house",
        "of feeds",
        "kept",
        "who it is",
        "what it needs",
        "set apart",
        "Reads feeds.",
    )


def test_comments_do_not_make_two_policies_differ(policy: Policy) -> None:
    other = the(
        POLICY.replace("# names first", "# other words").replace(" # all of it", "").replace("# what it", "# x")
    )
    assert other == policy
    assert hash(other) == hash(policy)
    assert other.comments != policy.comments


def test_documents_are_apart_and_lists_are_read() -> None:
    item = "    - {}\n"
    text = (
        "kind: List\nitems:\n  # the first\n  - kind: CiliumNetworkPolicy\n    metadata: {name: a}\n    spec:\n"
        "      endpointSelector: {}\n      egress:\n        # one\n        - {}\n"
        "  - kind: ConfigMap # no policy\n"
        "  # the last\n  - kind: CiliumNetworkPolicy\n    metadata: {name: b}\n    specs:\n"
        "      # its rule\n      - endpointSelector: {}\n        egress: # open\n          # two\n          - {}\n"
    )
    parsed = parse(f"# elsewhere\nkind: Deployment\n---\n{text}---\n# a third document\n{item}")
    found = [
        (one.name, one.comments, one.rules[0].comments, one.rules[0].egress[0].comments) for one in parsed.policies
    ]
    assert found == [("a", ("the first",), (), ("one",)), ("b", ("the last",), ("its rule", "open"), ("two",))]


def test_words_above_lines_that_were_commented_out_are_about_those() -> None:
    policy = the(
        "# about it all\nkind: CiliumNetworkPolicy\nspec:\n  endpointSelector:\n    matchExpressions:\n"
        "      - {key: app, operator: In, values: [a, b]} # a is greedy\n  egress:\n"
        "    # users enter\n    # arbitrary URLs\n    # - toEntities:\n    #     - world\n"
        "    # the shop\n    - toEntities: [world]\n    # tocsin: bounded\n    # - toEntities: [all]\n"
        "# of the next document\n"
    )
    assert policy.comments == ("about it all", "tocsin: bounded")
    assert policy.rules[0].egress[0].comments == ("the shop",)


def test_entries_written_elsewhere_have_no_comments_of_their_own() -> None:
    text = (
        "x-dns: &dns # shared\n  toPorts: [{ports: [{port: '53'}]}]\nkind: CiliumNetworkPolicy\nspec:\n"
        "  endpointSelector: {}\n  egress:\n    # names\n    - *dns\n    # the rest\n    - toEntities: [world]\n"
    )
    policy = the(text)
    assert [entry.comments for entry in policy.rules[0].egress] == [(), ()]
    assert policy.comments == ("shared", "names", "the rest")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_endings(ending: str) -> None:
    text = "kind: CiliumNetworkPolicy\nspec:\n  endpointSelector: {}\n  egress:\n    # why\n    - {}\n"
    assert the(text.replace("\n", ending)).rules[0].egress[0].comments == ("why",)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("- toEntities: [world]", True),
        ("- matchName: api.example.com", True),
        ('matchPattern: "*.example.com" # later', True),
        ("toPorts:", True),
        ("- world", True),
        ("- 10.0.0.0/8", True),
        ('port: "443"', True),
        ("app.kubernetes.io/name: reader", True),
        ("- k8s:app: reader", True),
        ("egressDeny:", True),
        ("- reads feeds", False),
        ("to: whom it may concern", False),
        ("port 443 only", False),
        ("world: for the feeds", False),
        ("api.example.com", False),
    ],
)
def test_yaml_that_was_commented_out(text: str, code: bool) -> None:
    assert is_code(text) is code


@pytest.mark.parametrize(
    ("comment", "word"),
    [
        ("tocsin: unbounded", "unbounded"),
        ("Tocsin: lan-only, it has no business outside", "lan-only"),
        ("tocsin.dev/egress: bounded", "bounded"),
        ("tocsin: whatever", "whatever"),
        ("egress: unbounded", "unbounded"),
        ("Egress: bounded (one API)", "bounded"),
        ("egress: unbounded would be wrong here", None),
        ("egress: HTTPS", None),
        ("about tocsin: unbounded", None),
    ],
)
def test_agreed_comments(comment: str, word: str | None) -> None:
    assert agreed.word(comment) == word


def test_agreed_words() -> None:
    words = ["bounded", "UNBOUNDED", "between", "lan-only", "lan_only", "unknown", "open"]
    assert [agreed.posture(word) for word in words] == [
        Posture.BOUNDED,
        Posture.UNBOUNDED,
        Posture.BETWEEN,
        Posture.LAN_ONLY,
        Posture.LAN_ONLY,
        None,
        None,
    ]


UNBOUNDED = [
    "fetches whatever sites its readers subscribe to, so any feed on the web",
    "arbitrary hosts by design",
    "arbitary URLs come from chat messages",
    "user-supplied webhook targets",
    "feeds configured by the user can live on any host",
    "users can add their own indexers",
    "BitTorrent peers on random ports",
    "DHT and peers + trackers",
    "the archiver crawls pages",
    "build jobs may download anything",
    "the set of destinations cannot be enumerated",
    "unbounded: link previews of any URL",
    "matrix federation",
    "a Tor relay",
    "runs code from pull requests",
]
BOUNDED = [
    "only talks to the vendor",
    "GitHub releases and TMDB",
    "Let's Encrypt (ACME)",
    "nightly backups to Backblaze B2",
    "world because FQDN policies break on CNAMEs",
    "canonical names move within one CDN, hence the world",
    "licence checks",
    "api.example.com",
    "the weather API over HTTPS",
    "only needs a single host: their anycast ranges cannot be listed",
    "push notifications through Pushover, not arbitrary webhooks",
]
BETWEEN = ["subtitle providers", "indexers and the like over HTTPS", "TMDB, TVDB, etc.", "several services"]
LAN_ONLY = ["LAN only", "never leaves the house", "no internet access", "only the local network"]
NOTHING = [
    "",
    "HTTPS egress",
    "allow internet",
    "allow world on 443",
    "any host on 443",
    "external services over HTTPS",
    "arbitrary ports",
    "qbittorrent",
    "no longer unbounded",
    "instead of arbitrary hosts",
    "if it should ever crawl the web, open this",
    "ingress: crawlers must not come in",
    "see https://github.com/example/repository/issues/1",
    "GitHub, TMDB and arbitrary feeds",
    "LAN only, apart from GitHub",
    "syncthing, peer-to-peer between my own machines",
]


@pytest.mark.parametrize(
    ("text", "posture"),
    [
        *((text, Posture.UNBOUNDED) for text in UNBOUNDED),
        *((text, Posture.BOUNDED) for text in BOUNDED),
        *((text, Posture.BETWEEN) for text in BETWEEN),
        *((text, Posture.LAN_ONLY) for text in LAN_ONLY),
        *((text, None) for text in NOTHING),
    ],
)
def test_what_a_comment_says(text: str, posture: Posture | None) -> None:
    assert read(text).posture is posture


def test_what_contradicts_itself_is_told_from_silence() -> None:
    assert read("GitHub, TMDB and arbitrary feeds") != Remark()
    assert read("HTTPS egress") == Remark()


@given(st.sampled_from(UNBOUNDED), st.sampled_from(["GitHub", "api.example.com", "the weather API", "Let's Encrypt"]))
def test_naming_somebody_never_leaves_it_open(text: str, name: str) -> None:
    assert read(f"{name}. {text}").posture is not Posture.UNBOUNDED


@given(st.text(max_size=60), st.lists(st.sampled_from(["# a", "  # b", "x: 1", "- c # d", "y: '#'", "", "&a", "|"])))
def test_comments_never_raise(text: str, lines: list[str]) -> None:
    for source in (text, "\n".join(lines), f"kind: CiliumNetworkPolicy\nspec:\n{text}#"):
        Commented(source)
        read(source)
        parse(source)
