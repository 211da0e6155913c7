"""What a comment says of the destinations of a workload: open by nature, named, named in part, or none outside. Pure.

It reads English with a few typing errors. It is careful on one side: a comment that only repeats what the rule says
("allow internet", "any host on 443") says nothing, a phrase that is denied or supposed says nothing, and a comment
that names somebody is never taken for "open by nature" alone.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from tocsin.model import Posture

_PLACES: Final = (
    r"(?:urls?|hosts?|hostnames?|domains?|web ?sites?|sites?|web ?pages?|pages?|feeds?|links?(?!-)|destinations?|"
    r"targets?|servers?|endpoints?|indexers?|trackers?|sources?|web ?hooks?|registry|registries|repos?|repository|"
    r"repositories|peers?|content|places?|address(?:es)?|ips?|third part(?:y|ies)|instances?)\b"
)
_CODE: Final = r"(?:code|workloads?|jobs?|scripts?|commands?|packages?|images?|plugins?|workflows?)\b"
_GIVEN: Final = (
    r"(?:supplied|defined|provided|configured|chosen|specified|submitted|selected|entered|added|saved|picked)"
)
_USERS: Final = r"(?:users?|readers?|tenants?|visitors?|operators?|people)"
_BETWEEN: Final = r"(?:(?!ports?\b)[\w'-]+[ ,/]+){0,2}?"
"""At most two words, none of them "ports": arbitrary ports are no arbitrary hosts."""
_TITLES: Final = (
    r"(?:subtitles?|usenet|nntp|news|metadata|notifications?|search|weather|mail|email|artwork|image|content|upstream|"
    r"download|irc|payment|identity|stream\w*|epg|geo\w*|media)"
)

_OPEN: Final = (
    rf"(?:arbitrary|random|untrusted|unpredictable|unlimited) {_BETWEEN}(?:{_PLACES}|{_CODE})",
    rf"(?:users?'?s?|operator|tenant|customer)[ -]{_GIVEN} {_BETWEEN}(?:{_PLACES}|{_CODE})",
    rf"{_PLACES}[^.;]{{0,30}} (?:{_GIVEN}|subscribed to) by (?:the |its |a |any )*{_USERS}\b",
    rf"{_PLACES}(?: that| which)? (?:the |its |a )*{_USERS} (?:\w+ )?(?:adds?|enters?|configures?|pastes?|submits?"
    r"|subscribes?|chooses?|choose|picks?|types?|saves?|bookmarks?|follows?|requests?|wants?|supply|supplies|defines?|likes?)\b",
    rf"{_USERS} (?:can |may |might |could |will |are free to )?(?:add|enter|configure|paste|submit|subscribe to|choose"
    rf"|pick|type|save|bookmark|follow|supply|define) {_BETWEEN}{_PLACES}",
    r"(?:any|whatever|whichever|every) (?:\w+ )?(?:url|web ?site|site|feed|web ?page|page|link(?!-)|indexer|tracker"
    r"|web ?hook|registry|repository|mx|mail server)s?\b",
    rf"\b(?:{_USERS}|jobs?|pipelines?|crawl\w*|fetch\w*|brows\w*|previews?|prob(?:es|ing)|unfurl\w*)\b[^.;]{{0,40}}"
    r"\bany (?:\w+ )?(?:host|domain|destination|server|address)\b",
    r"\b(?:web ?hooks?|feeds?|links?|urls?|downloads?|peers?|sources?|images?)\b[^.;]{0,40}\banywhere\b",
    r"\b(?:bit ?torrent|torrenting|torrent (?:traffic|peers?|swarms?|protocol|data|networks?)|torrents|dht)\b",
    r"\bpeers?(?:/| and | or |, | & | \+ )trackers?\b|\btrackers?(?:/| and | or |, | & | \+ )peers?\b",
    r"\b(?:p2p|peer[- ]to[- ]peer)\b",
    r"\b(?:crawl(?:s|er|ers|ing)?|spider(?:s|ing)?|web[- ]?scrap\w+|web ?search(?:es)?)\b",
    rf"\bscrap(?:e|es|ing|er|ers) (?:from |of )?{_BETWEEN}(?:web|web ?sites?|sites|web ?pages?|pages|urls?)\b",
    r"\b(?:brows|navigat|surf|visit)\w* (?:to |the |on )*(?:public )?(?:web|internet|web ?sites?|sites|pages|urls)\b",
    r"\b(?:fetch|archiv|sav|preview|crawl)\w* (?:the |saved |any |all )*(?:bookmarks|articles|web ?pages)\b",
    r"\b(?:runs?|execut\w+|builds?|installs?|pulls?|fetch\w*|downloads?|clones?|visits?|opens?|requests?)"
    r" (?:\w+ )?(?:anything|whatever)\b",
    r"\b(?:ci|build|workflow|pipeline|actions?) (?:jobs?|steps?|workflows?|builds?|runs?|runners?)\b[^.;]{0,60}"
    r"\b(?:anything|whatever|arbitrary|all sorts|any)\b",
    r"\bcode (?:coming |that comes )?(?:from|of) (?:pull requests|forks|strangers|contributors)\b",
    r"\b(?:any|various|many|arbitrary|package|all kinds of|all sorts of) (?:\w+ )?(?:registries|package managers)\b",
    r"\b(?:can ?not|can't|could not|couldn't|impossible to|not possible to|infeasible to|impractical to|no way to)"
    r" (?:be )?(?:\w+ly )?(?:enumerat|list|predict|foresee|known?\b|allow-?list|white-?list)\w*",
    r"\b(?:un|non-?|not )enumerable\b|\bunbounded\b|\bopen[- ]ended\b|\bunknowable\b",
    r"\b(?:activitypub|fediverse|(?:matrix|server) federation)\b",
    r"\bfederat\w+ (?:with|servers?|instances?|peers?|traffic)\b",
    r"\btor (?:relays?|exits?|network|circuits?)\b",
)
_SERVICES: Final = (
    r"git ?hub|ghcr|git ?lab|codeberg|docker ?hub|quay|tmdb|tvdb|imdb|themoviedb|musicbrainz|trakt|fanart|"
    r"anilist|last\.?fm|spotify|opensubtitles|plex|jellyfin repo\w*|trash[- ]guides|let'?s ?encrypt|"
    r"letsencrypt|acme|zerossl|cloudflare|backblaze|wasabi|hetzner|ovh|porkbun|namecheap|route ?53|aws|amazon|"
    r"azure|microsoft|google|gmail|apple|icloud|one ?drive|dropbox|mega\.nz|discord|telegram|slack|signal|"
    r"whatsapp|matrix\.org|pushover|ntfy|gotify|healthchecks|uptimerobot|sentry|grafana|datadog|tailscale|"
    r"netbird|zerotier|mullvad|proton ?(?:vpn|mail)?|surfshark|nordvpn|airvpn|openai|anthropic|hugging ?face|"
    r"ollama|maxmind|open-?meteo|openweather\w*|fast ?mail|mailgun|sendgrid|migadu|postmark|duo|okta|auth0|"
    r"1password|bitwarden|doppler|steam|mojang|minecraft|xbox|ookla|youtube|twitch|npm ?js|pypi|"
    r"home ?assistant cloud|nabu casa|notifiarr|tesla|garmin|strava|paypal|stripe|duckdns"
)
"""Whom comments of home clusters name most; a name that is missing costs a statement, never gives a wrong one."""
_NAMED: Final = (
    rf"\b(?:{_SERVICES})\b",
    r"(?<![\w./@-])(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|app|tv|me|co|cc|ai|sh|gg|eu|us|de|uk|fr|nl|fm|is|to|video)\b",
    r"\b(?!(?:the|an?|its|their|external|upstream|remote|public|rest|http|https|web|kube|kubernetes|k8s|any|some|other|"
    r"third-party|module|and|or|of|with|calls?|uses?|cluster|internal|arbitrary|various|party|for|to|from)\b)"
    r"[a-z0-9.-]{2,}(?:'s)? api\b",
    r"\b(?:s3|b2|r2|dns-?01|smtp|geo ?ip|oauth2?|oidc|wireguard|openvpn|ddns|dynamic dns)\b",
    r"\bvpn (?:endpoint|server|tunnel|provider|traffic|gateway)\b|\bback-?ups? (?:to|target|bucket)\b",
    r"\b(?:update|version|licen[cs]e) (?:checks?|server)\b|\bcheck\w* for (?:updates|new versions)\b",
    r"\bcanonical names?\b|\bcnames?\b|\banycast\b|\bcdns?\b|\bspecific (?:fqdns?|hosts?|domains?|names?)\b",
    r"\b(?:fqdn|tofqdns) (?:polic\w+|rules?)? ?"
    r"(?:can ?not|can't|breaks?|fails?|does not|doesn't|do not|don't|are|is)\b",
    r"\b(?:no|without|needs?|depends? on) (?:[\w']+ ){0,3}?dns (?:proxy|rule)\b",
    r"\bonly (?:ever )?(?:talks?|speaks?|connects?|reaches|contacts?|calls?|goes|fetch(?:es)?|pulls?|downloads?|syncs?|"
    r"posts?|sends?|asks?|quer(?:y|ies)|polls?) (?:to |with |from |at )?(?:the |its |an? )?(?!https?\b|internet|world|"
    r"outbound|egress|external|public|443|80\b|dns\b|tcp\b|udp\b|ports?\b|network|web\b|arbitrary|any)\w+",
    r"\b(?:one|an? single|two|three|a few|few|a handful of|fixed (?:set|list) of|known) (?:\w+ )?"
    r"(?:hosts?|names?|domains?|endpoints?|destinations?|vendors?|upstreams?|apis?)\b",
)
_VAGUE: Final = (
    r"\betc\b|\band (?:so on|others|more|similar|the like)\b|\be\.g\b",
    rf"\b{_TITLES} (?:and \w+ )?(?:providers|sources|agents|services|engines|networks|servers|backends)\b",
    r"\b(?:indexers|trackers|(?<!mail )(?<!push )notifications|integrations|web ?hooks?|search engines|providers)\b",
    r"\b(?:various|several|numerous|multiple|many|different|assorted) (?:\w+ )?"
    r"(?:services|apis|providers|hosts|sites|endpoints|sources|destinations|vendors)\b",
)
_LAN: Final = (
    r"\blan[- ]only\b|\b(?:local|internal)(?:[- ]network)?[- ]only\b|\b(?:in-)?cluster[- ]only\b",
    r"\bno (?:direct )?(?:internet|external|outside)(?: (?:access|egress|traffic|destinations?|needed|required))?\b",
    r"\b(?:never|not|doesn't|don't|must not|can ?not|needn't) (?:\w+ ){0,2}?(?:reach|leave|need|access|touch|use)\w*"
    r" (?:to )?(?:the )?(?:internet|lan|cluster|house|outside|home)\b",
    r"\bonly (?:\w+ ){0,3}?(?:lan|local network|home network|rfc ?1918|private (?:ranges?|addresses|networks?))\b",
    r"\blan (?:infra\w*|devices?|hosts?|services?|servers?|targets?|address\w*|ips?)\b",
)
_DENIED: Final = re.compile(
    r"\b(?:not?|never|nor|none|isn't|aren't|doesn't|don't|won't|without|instead of|rather than|no longer|avoid\w*|was|"
    r"were|previously|formerly|used to|once|prevent\w*|block\w*|den(?:y|ies)|forbid\w*|unlike|against|than)\b"
    r"(?! only)(?:\W+\w+){0,3}\W*$"
)
_SUPPOSED: Final = re.compile(
    r"\bif\b.*\b(?:ever|should|would|want|wants|becomes?|later)\b|\b(?:todo|fixme|maybe one day)\b"
)
_INBOUND: Final = re.compile(r"\b(?:ingress|inbound|incoming)\b")
_OUTBOUND: Final = re.compile(r"\b(?:egress|outbound|outgoing|internet)\b")
_ABOUT_ADDRESSES: Final = re.compile(r"\b(?:ips?|cidrs?|ranges?|address(?:es)?|anycast|cdns?)\b")
_OWN_PEERS: Final = re.compile(r"\b(?:wireguard|tailscale|headscale|netbird|zerotier|syncthing|vpn|etcd|bgp)\b")
_REFERENCE: Final = re.compile(r"https?://[^\s/]+/\S+|\bsee\b \S*\.\S+|\S+\.(?:ya?ml|md|json|py|sh)\b")
_CLAUSE: Final = re.compile(r"[;!?]|\.(?=\s|$)|\s[\u2013\u2014]\s")
MAX_READ: Final = 4000
"""Characters of a comment that are read."""
_HARD: Final = (
    *("arbitrary", "unbounded", "unrestricted", "indexers", "trackers", "bittorrent", "torrents", "registries"),
    *("websites", "destinations", "anything", "whatever", "anywhere", "enumerate", "enumerated", "unpredictable"),
    *("impossible", "federation", "providers", "notifications", "subscribed", "configured", "supplied", "defined"),
)
"""Words that decide and are often misspelt."""

_COMPILED: Final = {
    "open": tuple(map(re.compile, _OPEN)),
    "named": tuple(map(re.compile, _NAMED)),
    "vague": tuple(map(re.compile, _VAGUE)),
    "lan": tuple(map(re.compile, _LAN)),
}


@dataclass(frozen=True, slots=True)
class Remark:
    """The words of a comment that count, by what they say."""

    open: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    vague: tuple[str, ...] = ()
    lan: tuple[str, ...] = ()

    @property
    def posture(self) -> Posture | None:
        """What they come to; None where they say nothing or contradict each other."""
        kinds = [kind for kind in ("open", "named", "lan") if getattr(self, kind)]
        if len(kinds) > 1 or (self.lan and self.vague):
            return None
        if kinds == ["open"]:
            return Posture.UNBOUNDED
        if self.vague:
            return Posture.BETWEEN
        return {"named": Posture.BOUNDED, "lan": Posture.LAN_ONLY}[kinds[0]] if kinds else None

    def __add__(self, other: "Remark") -> "Remark":
        return Remark(self.open + other.open, self.named + other.named, self.vague + other.vague, self.lan + other.lan)


@lru_cache(maxsize=4096)
def read(text: str, *, needs_egress: bool = False) -> Remark:
    """Reads a comment; its lines may be joined by spaces. `needs_egress`: only clauses that speak of egress count."""
    found: dict[str, list[str]] = {kind: [] for kind in _COMPILED}
    for clause in _CLAUSE.split(_plain(text)):
        if _counts(clause) and (_OUTBOUND.search(clause) or not needs_egress):
            for kind, patterns in _COMPILED.items():
                found[kind] += [said for pattern in patterns for said in _said(kind, pattern, clause)]
    return Remark(**{kind: tuple(dict.fromkeys(said)) for kind, said in found.items()})


def _counts(clause: str) -> bool:
    return not _SUPPOSED.search(clause) and (not _INBOUND.search(clause) or bool(_OUTBOUND.search(clause)))


def _said(kind: str, pattern: re.Pattern[str], clause: str) -> list[str]:
    return [
        match[0].strip()
        for match in pattern.finditer(clause)
        if not (kind != "lan" and _DENIED.search(clause[: match.start()])) and not _excused(kind, match[0], clause)
    ]


def _excused(kind: str, said: str, clause: str) -> bool:
    """Addresses that cannot be listed belong to somebody; peers of a VPN are one's own; notifications may be named."""
    if kind == "vague":
        return bool(re.search(rf"\b(?:{_SERVICES})(?: \w+)? {re.escape(said.strip())}", clause))
    if kind != "open":
        return False
    if re.search(r"enumerat|list|predict|foresee|known", said) and _ABOUT_ADDRESSES.search(clause):
        return True
    return bool(re.search(r"p2p|peer", said) and _OWN_PEERS.search(clause))


def _plain(text: str) -> str:
    lower = _REFERENCE.sub(" ", text[:MAX_READ].lower().replace("\u2019", "'"))
    return re.sub(r"[a-z]{7,}", lambda word: _spelt(word[0]), re.sub(r"[\s`*_\"]+", " ", lower))


@lru_cache(maxsize=4096)
def _spelt(word: str) -> str:
    close = get_close_matches(word, _HARD, n=1, cutoff=0.88)
    return close[0] if close and word not in close[0] and close[0] not in word else word  # qbittorrent is an app
