"""Phrases of comments beside rules, by what they say of the destinations. Pure; `remarks` reads them.

Whom or what a comment names is open; that somebody is named at all is what matters, so a missing name costs a
statement and never gives a wrong one.
"""

import re
from typing import Final

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
    r"(?:subtitles?|usenet|nntp|news|metadata|notifications?|search|weather|mail|email|artwork|image|content"
    r"|upstream|"
    r"download|irc|payment|identity|stream\w*|epg|geo\w*|media)"
)

OPEN: Final = (
    rf"(?:arbitrary|random|untrusted|unpredictable|unlimited) {_BETWEEN}(?!ips?\b|address)(?:{_PLACES}|{_CODE})",
    rf"(?:users?'?s?|operator|tenant|customer)[ -]{_GIVEN} {_BETWEEN}(?:{_PLACES}|{_CODE})",
    rf"{_PLACES}[^.;]{{0,30}} (?:{_GIVEN}|subscribed to) by (?:the |its |a |any )*{_USERS}\b",
    rf"{_PLACES}(?: that| which)? (?:the |its |a )*{_USERS} (?:\w+ )?(?:adds?|enters?|configures?|pastes?|submits?"
    r"|subscribes?|chooses?|choose|picks?|types?|saves?|bookmarks?|follows?|requests?|wants?|supply|supplies"
    r"|defines?|likes?)\b",
    rf"{_USERS} (?:can |may |might |could |will |are free to )?(?:add|enter|configure|paste|submit|subscribe to"
    rf"|choose"
    rf"|pick|type|save|bookmark|follow|supply|define) {_BETWEEN}{_PLACES}",
    r"\b(?:any|whatever|whichever) (?:\w+ )?(?:url|web ?site|site|feed|web ?page|page|link(?!-)|indexer|tracker"
    r"|web ?hook|registry|repository|mx|mail server)s?\b",
    r"\bevery (?:url|web ?site|site|feed|indexer|tracker|mx)\b",
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
    r"\b(?:anything|whatever|arbitrary|all sorts|any (?:hosts?|sites?|urls?|destinations?|registr\w+|packages?"
    r"|images?"
    r"|mirrors?|dependenc\w+))\b",
    r"\bcode (?:coming |that comes )?(?:from|of) (?:pull requests|forks|strangers|contributors)\b",
    r"\b(?:any|various|many|arbitrary|package|all kinds of|all sorts of) (?:\w+ )?(?:registries|package managers)\b",
    r"\b(?:can ?not|can't|could not|couldn't|impossible to|not possible to|infeasible to|impractical to|no way to)"
    r" (?:be )?(?:\w+ly )?(?:enumerat|list|predict|foresee|known?\b|allow-?list|white-?list)\w*",
    r"\b(?:un|non-?|not )enumerable\b|\bunbounded\b|\bopen[- ]ended\b|\bunknowable\b",
    r"\b(?:activitypub|fediverse|(?:matrix|server) federation)\b",
    r"\bfederat\w+ (?:with|servers?|instances?|peers?|traffic)\b",
    r"\btor (?:relays?|exits?|network|circuits?)\b",
)
SERVICES: Final = (
    r"git ?hub(?! actions| runners?)|ghcr|git ?lab|codeberg|docker ?hub|quay|tmdb|tvdb|imdb|themoviedb"
    r"|musicbrainz|trakt|fanart|"
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
NAMED: Final = (
    rf"\b(?:{SERVICES})\b",
    r"(?<![\w./@-])(?:[a-z0-9-]+\.)+(?:com|net|org|io|dev|app|tv|me|co|cc|ai|sh|gg|eu|us|de|uk|fr|nl|fm|is|to"
    r"|video)\b",
    r"\b(?!(?:the|an?|its|their|external|upstream|remote|public|rest|http|https|web|kube|kubernetes|k8s|any|some"
    r"|other|"
    r"third-party|module|whatever|whichever|every|each|and|or|of|with|calls?|uses?|cluster|internal|arbitrary"
    r"|various|party|for|to|from)\b)"
    r"[a-z0-9.-]{2,}(?:'s)? api\b",
    r"\b(?:s3|b2|r2|dns-?01|smtp(?! (?:delivery )?to (?:any|all|every))|geo ?ip|oauth2?|oidc|wireguard|openvpn"
    r"|ddns|dynamic dns)\b",
    r"\bvpn (?:endpoint|server|tunnel|provider|traffic|gateway)\b|\bback-?ups? (?:to|target|bucket)\b",
    r"\b(?:update|version|licen[cs]e) (?:checks?|server)\b|\bcheck\w* for (?:updates|new versions)\b",
    r"\bcanonical names?\b|\bcnames?\b|\banycast\b|\bcdns?\b|\bspecific (?:fqdns?|hosts?|domains?|names?)\b",
    r"\b(?:fqdn|tofqdns) (?:polic\w+|rules?)? ?"
    r"(?:can ?not|can't|breaks?|fails?|does not|doesn't|do not|don't|are|is)\b",
    r"\b(?:no|without|needs?|depends? on) (?:[\w']+ ){0,3}?dns (?:proxy|rule)\b",
    r"\bonly (?:ever )?(?:talks?|speaks?|connects?|reaches|contacts?|calls?|goes|fetch(?:es)?|pulls?|downloads?"
    r"|syncs?|"
    r"posts?|sends?|asks?|quer(?:y|ies)|polls?) (?:to |with |from |at )?(?:the |its |an? )?(?!https?\b|internet"
    r"|world|"
    r"outbound|egress|external|public|443|80\b|dns\b|tcp\b|udp\b|ports?\b|network|web\b|arbitrary|any)\w+",
    r"\b(?:one|an? single|two|three|a few|few|a handful of|fixed (?:set|list) of|known) (?:\w+ )?"
    r"(?:hosts?|names?|domains?|endpoints?|destinations?|vendors?|upstreams?|apis?)\b",
)
VAGUE: Final = (
    r"\betc\b|\.{2,}|\u2026|\byou name it\b|\b(?:and|or) what(?:ever|not)\b|\bmostly\b|\b\d+\+ (?:sites|hosts"
    r"|services)\b|\band (?:so on|others|more|similar|the like)\b|\be\.g\b",
    rf"\b{_TITLES} (?:and \w+ )?(?:providers|sources|agents|services|engines|networks|servers|backends)\b",
    r"\b(?:indexers|trackers|(?<!mail )(?<!push )notifications|integrations|web ?hooks|search engines|providers)\b",
    r"\b(?:various|several|numerous|multiple|many|different|assorted) (?:\w+ )?"
    r"(?:services|apis|providers|hosts|sites|endpoints|sources|destinations|vendors)\b",
)
LOOSE: Final = (
    r"\b(?:not|more than) (?:only|just|enough|limited)\b|\b(?:wasn't|isn't) enough\b|\ball over\b|\b(?:from|live"
    r"|hosted) everywhere\b|\bwherever\b|\banything\b"
    r"|\bneeds? everything\b|\bwhatever (?:\w+ )?(?:users?|people|site|page)\b|\busers? subscribe\b",
)
LAN: Final = (
    r"\blan[- ]only\b|\b(?:local|internal)(?:[- ]network)?[- ]only\b|\b(?:in-)?cluster[- ]only\b",
    r"\bno (?:direct )?(?:internet|external|outside)(?: (?:access|egress|traffic|destinations?|needed|required))?\b",
    r"\b(?:never|not|doesn't|don't|must not|can ?not|needn't) (?:\w+ ){0,2}?(?:(?:reach|need|access|touch|use)\w*"
    r" (?:to )?(?:the )?(?:internet|outside)|leaves? (?:the )?(?:lan|cluster|house|home|network))\b",
    r"\bonly (?:\w+ ){0,3}?(?:lan|local network|home network|rfc ?1918|private (?:ranges?|addresses|networks?))\b",
    r"\blan (?:infra\w*|devices?|hosts?|services?|servers?|targets?|address\w*|ips?)\b",
)
DENIED: Final = re.compile(
    r"\b(?:not?|never|nor|none|isn't|aren't|doesn't|don't|won't|without|instead of|rather than|no longer"
    r"|avoid\w*|was|"
    r"were|previously|formerly|used to|once|prevent\w*|block\w*|den(?:y|ies)|forbid\w*|unlike|against|than)\b"
    r"(?! only)(?:\W+\w+){0,3}\W*$"
)
DENIED_AT_ALL: Final = re.compile(
    r"\b(?:no|not|never|nor|none|nothing|nobody|neither|without|cannot|can't|isn't|aren't|don't|doesn't"
    r"|shouldn't|mustn't|won't|hardly|unlike|until|"
    r"formerly|previously|old version|kein\w*|nicht|nie|ohne|sin|ning[u\u00fa]n\w*|pas|sans)\b"
    r"(?! (?:only|just|limited|restricted|confined|enough|the lan\b|possible|be (?:\w+ly )?(?:enumerat|list"
    r"|predict|known)))"
)
UNDONE: Final = re.compile(
    r"\b(?:disabled|deactivated|removed|gone|(?:switched|turned) off|(?:is|are) off|(?:moved|left) (?:to|for)"
    r"|elsewhere|(?:the|an)?other (?:pod|policy|container)|"
    r"not (?:allowed|used|enabled|needed)|not (?:to )?anywhere|blocked|forbidden|its own policy|dropped|refused"
    r"|retired|(?:would|is) (?:be )?(?:wrong|too much)|nobody|(?:without|no) (?:network|egress))\b"
)
SUPPOSED: Final = re.compile(
    r"\bif\b.*\b(?:ever|should|would|want|wants|becomes?|later)\b|\b(?:todo|fixme|maybe one day)\b"
    r"|\b(?:risks?|attackers?|compromised|exfiltrat\w*|abused?|malicious|hijacked|warning|careful|beware"
    r"|default here)\b|\btoo (?:much|wide|broad|open|permissive)\b"
    r"|\b(?:should|must|needs? to|to) be (?:restricted|tightened|narrowed|limited|locked)\b|\b(?:tighten"
    r"|restrict|narrow|lock down) (?:this|it|me|later)\b"
    r"|\b(?:policy|rule|guideline|compliance)\b[^,]*\b(?:forbids?|says?|prohibits?|requires?)\b|\bno (?:pod"
    r"|workload)s?\b|\bsame as\b"
)
INBOUND: Final = re.compile(
    r"\b(?:ingress|inbound|incoming|receiv\w+|arrives?|comes? in|reachable|exposed|(?:works?|reach\w*|visible"
    r"|accessible) (?:us |it |this |here )?from (?:anywhere|any))\b"
)
OUTBOUND: Final = re.compile(r"\b(?:egress|outbound|outgoing|internet)\b")
ABOUT_ADDRESSES: Final = re.compile(r"\b(?:ips?|cidrs?|ranges?|address(?:es)?|anycast|cdns?)\b")
OWN_PEERS: Final = re.compile(r"\b(?:wireguard|tailscale|headscale|netbird|zerotier|syncthing|vpn|etcd|bgp)\b")
WHOSE: Final = re.compile(r"\bours?\b|(?<!their )(?<!the )\bown\b|\b(?:partner|intranet|office)\b")
HANDED: Final = re.compile(
    r"[\w' ]{0,25}?(?: of (?!(?:users?|any|every|all|arbitrary|whatever|people|(?:the )?(?:web|internet|world"
    r"|fediverse|\w*verse|dht|network))\b)"
    r"| to (?:the|our|an?|its) (?!web|internet|outside|world|chat)"
    r"| (?:goes?|sent|posted|uploaded|handled|done|run|pushed) (?:to|through|via|by) "
    r"(?!(?:any|every|all|what|where|arbitrary|random|users?|out|anything)\w*\b)(?:the |our |an? |its )?\w"
    r"| (?:through|via) "
    r"(?!(?:any|every|all|what|where|arbitrary|random|users?|out|anything)\w*\b)(?:the |our |an? |its )?\w)"
)
REFERENCE: Final = re.compile(r"https?://[^\s/]+/\S+|\bsee\b \S*\.\S+|\S+\.(?:ya?ml|md|json|py|sh)\b")
CLAUSE: Final = re.compile(r"[;!]|(?<=\?)|\.(?=\s|$)|\s[\u2013\u2014]\s")
SOMEBODY: Final = re.compile(r"(?<=[a-z0-9,:/(&+] )(?<![.!?:] )[\"']?(?:the )?([A-Z][a-z]+\w*)|\b([A-Z]\w+)'s\b")
"""A capital letter inside a sentence: a name, whoever that is."""
NOBODY: Final = frozenset(
    {
        *("internet", "web", "world", "bittorrent", "torrent", "torrents", "tor", "matrix", "fediverse"),
        *("mastodon", "activitypub", "actions", "runners", "docker", "kubernetes", "cilium", "feeds"),
        *("feed", "atom", "i", "english", "german", "probe", "dockerfile", "dockerfiles", "python", "node"),
        *("javascript", "linux", "debian", "ubuntu", "any", "arbitrary", "users", "user", "every", "sites"),
        *("urls", "websites", "monday", "january"),
    }
)
"""Words with a capital letter that are nobody's name."""
HARD: Final = (
    *("arbitrary", "unbounded", "unrestricted", "indexers", "trackers", "bittorrent", "torrents", "registries"),
    *("websites", "destinations", "anything", "whatever", "anywhere", "enumerate", "enumerated", "unpredictable"),
    *("impossible", "federation", "providers", "notifications", "subscribed", "configured", "supplied", "defined"),
)
"""Words that decide and are often misspelt."""
