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

_PARTIES: Final = (
    r"(?:users?|readers?|tenants?|visitors?|customers?|clients?|accounts?|projects?|teams?|org(?:ani[sz]ation)?s?"
    r"|members?|merchants?|students?|compan(?:y|ies)|shops?|schools?|recipients?|everyone|everybody)"
)
"""Who brings destinations of their own."""
_PERMITTED: Final = r"(?:https?|443|80|tcp|udp|ports?|tls|outbound|egress|external|public|internet|world|web)\b"
"""What may stand beside "only" or "limited to" without a word on hosts."""

OPEN: Final = (
    rf"(?:arbitrary|random|unpredictable|unlimited) {_BETWEEN}(?!ips?\b|address)(?:{_PLACES}|{_CODE})",
    rf"untrusted {_BETWEEN}(?!ips?\b|address){_PLACES}",
    rf"\b(?:runs?|runn\w+|execut\w+|builds?) untrusted {_BETWEEN}{_CODE}",
    rf"(?:users?'?s?|operator|tenant|customer)[ -]{_GIVEN} {_BETWEEN}(?:{_PLACES}|{_CODE})",
    rf"{_PLACES}[^.;]{{0,30}} (?:{_GIVEN}|subscribed to) by (?:the |its |a |any )*{_USERS}\b",
    rf"{_PLACES}(?: that| which)? (?:the |its |a )*{_USERS} (?:\w+ )?(?:adds?|enters?|configures?|pastes?|submits?"
    r"|subscribes?|chooses?|choose|picks?|types?|saves?|bookmarks?|follows?|requests?|wants?|supply|supplies"
    r"|defines?|likes?)\b",
    rf"{_USERS} (?:can |may |might |are free to )?(?:add|enter|configure|paste|submit|subscribe to"
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
    r"\b(?:crawler|spider|web[- ]?crawl\w+|web[- ]?scrap\w+|web ?search(?:es)?)\b(?! polic)",
    rf"\b(?:crawl|spider)(?:s|ing)? (?:[\w-]+ ){{0,3}}?(?:web|internet|{_PLACES})",
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
    r"\b(?:mx|(?:mail|smtp) ?servers?) of (?:whoever|whomever|anyone|anybody|everyone|everybody|any|all|every)\b",
    r"\brecipients?'?s? (?:mx|(?:mail|smtp) ?servers?|mail ?hosts?|domains?)\b",
    rf"\b(?:reach\w*|prox(?:y|ies)|connects? to|loads?|forwards?) (?:to )?whatever (?:the |its )*(?:{_USERS}|clients?)"
    r" (?:asks?(?: for)?|wants?|requests?|enters?)\b",
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
_TOP_LEVEL: Final = (
    r"com|net|org|io|dev|app|tv|me|co|cc|ai|sh|gg|fm|info|biz|edu|gov|int|aero|coop|museum|cloud|online|site|shop|store"
    r"|tech|xyz|systems|services|software|solutions|network|group|tools|page|link|live|news|blog|media|email|social"
    r"|space|host|hosting|games|zone|digital|agency|company|design|studio|academy|video|example|test|swiss|berlin|wien"
    r"|tirol|bayern|hamburg|koeln|nrw|paris|london|amsterdam|tokyo"
    r"|ar|at|au|be|bg|br|ca|ch|cl|cn|cz|de|dk|ee|es|eu|fi|fr|gr|hk|hr|hu|ie|il|in|ir|is|it|jp|kr|kz|li|lt|lu|lv|mx|my|nl"
    r"|no|nu|nz|pl|pt|ro|rs|ru|se|sg|si|sk|th|to|tr|tw|ua|uk|us|vn|za"
)
NAMED: Final = (
    rf"\b(?:{SERVICES})\b",
    rf"(?<![\w./@-])(?:[a-z0-9-]+\.)+(?:{_TOP_LEVEL})\b(?!\.\w)",
    r"\b(?!(?:the|an?|its|their|external|upstream|remote|public|rest|http|https|web|kube|kubernetes|k8s|any|some"
    r"|other|"
    r"third-party|module|whatever|whichever|every|each|and|or|of|with|calls?|uses?|cluster|internal|arbitrary"
    r"|various|party|for|to|from)\b)"
    r"[a-z0-9.-]{2,}(?:'s)? api\b",
    r"\b(?:s3|b2|r2|dns-?01|geo ?ip|oauth2?|oidc|wireguard|openvpn|ddns|dynamic dns)\b",
    r"\bsmtp\b(?![^.;]*\b(?:mx|any\w*|all|every\w*|whoever|whomever|recipients?)\b)",
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
    rf"\b(?:each|every|per|any|one for each)[ -](?:\w+ )?{_PARTIES}\b|\b(?:whoever|whomever|whichever)\b",
    rf"\b(?:{_PARTIES}'(?!s)|{_PARTIES}'s|(?:customer|tenant|user|client)s? own)(?= |$)",
    rf"\b(?:customer|tenant|user|client)[ -](?:hosted|owned|managed|run|side|{_GIVEN})\b|\bself[- ]managed\b"
    r"|\bself[- ]hosted \w+ (?:servers|instances)\b|\bon[- ]prem\w*",
    r"\b(?:instances|servers|endpoints|buckets) of \w+s\b",
    rf"\b(?:customer|tenant|client|recipient|member)s? (?:\w+ )?{_PLACES}|\b\w+s' (?:\w+ )?{_PLACES}",
    rf"\b(?:whatever|whichever|what) (?:[\w-]+ ){{1,3}}?(?:the |its |a |an )?{_PARTIES}\b",
    r"\bbring(?:s|ing)? (?:your|their|his|her|its|our) own\b|\bbyo\w*\b|\b(?:their|your) own\b",
    rf"\b(?:differs?|different|var(?:y|ies)|depend\w*) (?:\w+ )?(?:per|by|for|on|with|between) (?:\w+ )?{_PARTIES}\b",
    rf"\bany (?:[\w-]+ )?(?:endpoint|server|provider|idp|instance)\b|{_PLACES} {_PARTIES} ",
)
"""What names yield to: they are some of many, or everybody has others."""
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
    r"were|previously|formerly|used to|once|prevent\w*|block(?:s|ed|ing)?|den(?:y|ies)|forbid\w*|unlike|than)\b"
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
    r"|retired|(?:would|is) (?:be )?(?:wrong|too much)|nobody|(?:without|no) (?:any )?(?:network|egress))\b"
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
_TO_US: Final = (
    r"\b(?:crawl|index|scrap|embed|call|com|hit|visit|post|ping|link|dial|connect|report|talk|reach|poll|prob|scan)\w*"
    r" (?:back |in |out )?(?:to |at |into |with |on )?"
    r"(?:us|me|here|our (?:sites?|pages?|shop|api|domain)|this$"
    r"|this (?:api|app|service|site|server|pod|endpoint|workload))\b"
)
INBOUND: Final = re.compile(
    r"\b(?:ingress|inbound|incoming|receiv\w+|arrives?|comes? in|reachable|exposed|(?:works?|reach\w*|visible"
    r"|accessible) (?:us |it |this |here )?from (?:anywhere|any))\b"
    r"|\b(?:crawled|scraped|indexed|embedded|polled|monitored|visited|called|scanned|probed) by\b"
    r"|\b(?:web ?hooks?|call-?backs?) (?:(?:which |that )?(?:come|are sent|sent|in) )?from\b"
    r"|\b(?:web ?hooks?|call-?backs?) (?:sent|delivered|posted) by\b"
    rf"|{_TO_US}"
)
OUTBOUND: Final = re.compile(r"\b(?:egress|outbound|outgoing|internet)\b")
TAKEN_BACK: Final = (
    # There are conditions.
    r"\b(?:though(?! ?[,.;]|$)|although|however|unless|nevertheless|despite|hypothetical\w*|would|once)\b",
    r"\b(?:provided|as long as|so long as|on condition|in theory|theoretically|in principle)\b(?! by)",
    # Somebody looks at them first.
    r"\b(?:allow|white|safe|pass)-?list\w*|\ballowed (?:list|hosts|domains)\b|\b(?:must|have to|has to) (?:be|match)\b",
    r"\bvalidat(?:ed|ion)\b|\bvalidates? (?:them|it|those|these|each|every|the)\b|\b(?:not|never|nothing) without\b",
    r"\b(?:check|match|compar|verif)\w* (?:\w+ )?(?:against|with)\b|\b(?:approv|vett|verif|moderat|saniti[sz])\w+",
    r"\b(?:review|reject|enforc)\w*|\b(?:drops?|registered|look-?up|lets? \w+ through)\b",
    # They are few.
    r"\b(?:against|on|in) (?:a|an|the|our|its) (?:[\w-]+ )?(?:list|catalogue?|register)\b",
    r"\b(?:has|have|keeps?|with|from|via|per) (?:a|an|the) (?:[\w-]+ )?list\b",
    r"\b(?:fixed|closed|static|finite|short|known|trusted) \w*(?:set|list|table|s)\b",
    r"\b(?:two|three|four|five|six|a few|a handful)\b|\bnothing but\b|\b(?:solely|exclusively)\b",
    rf"\b(?:restrict|limit|confin|narrow|reduc|filter|pin|cut)\w* (?:them |it )?(?:down )?to (?!{_PERMITTED})",
    r"(?<!not )(?<!the )(?<!read )(?<!read-)(?<!https )(?<!443 )(?<!tcp )(?<!egress )\bonly\b"
    rf"(?! {_PERMITTED})",
    # They are inside.
    r"\b(?:in|inside|within|on|behind|across) (?:[\w-]+ ){0,3}?(?:cluster|lan|mesh|vpc|vpn|vlan|subnet|intranet|tailnet"
    r"|rack|house|home ?lab|data ?cent(?:er|re))\b|\bat home\b|\bin-cluster\b|\bcluster-(?:internal|local)\b",
    r"\b(?:local|home|internal|private|company|corporate) (?:network|hosts?|ones|endpoints?|services?|targets?|names?"
    r"|address\w*)\b",
    r"(?<!except )(?<!excluding )(?<!no )(?<!not )\b(?:rfc ?1918|10\.0\.0\.0|192\.168\.|172\.16\.)",
    # Nobody gets out.
    r"\b(?:lock\w* down|seal\w* off|offline|contained|no way out|no route|deny|denies)\b",
    r"\b(?:air-?gap|isolat|quarantin)\w+",
    r"\b(?:remain|stay|keep|kept)\w* (?:inside|internal|local)\b"
    r"|\b(?:egress|network|firewall) (?:is |stays )?(?:closed|shut|disabled|off|cut)\b",
    r"\b(?:must|may|shall|should|can|could|do|does|will|is|are)(?: ?not|n't| never)"
    r" (?:be able to |ever |allowed to |to )*(?:get|go|reach|leave|talk|phone|call|connect|access|touch|escape)\b",
    r"\bnever (?:gets|goes|reaches|leaves|talks)\b",
    # It is not so yet, or no longer.
    r"\b(?:plan|plans|planned|planning|road-?map|upcoming|soon|eventually|future|backlog|feature request|idea)\b",
    r"\b(?:will|going to|is coming|are coming|yet|beta|draft|postponed|scheduled for|deprecated|in q[1-4])\b|'ll\b",
    r"\b(?:to (?:let|allow|support|enable)|coming:|phase \d|prepared for|meant for|intended|went away)(?=\W)",
    r"\bnext (?:release|version|sprint|quarter|year|month|week|milestone)\b|\bexperiment\w*|(?<!-)\blater\b",
    r"\b(?:possibly|maybe|perhaps|might|could(?! be ))\b|\bat some point\b",
    r"\b(?:(?:before|until|till|prior to|pre-?) ?(?:v|version )?|in (?:v|version ))\d",
    r"\bback (?:when|then)\b|\bold (?:days|times)\b|\bin the past\b|\bhistorically\b",
    # It is about another workload.
    r"\b(?:another|the other|neighbou?r\w*) (?:pod|team|service|workload|namespace|app|policy|deployment)\b",
    r"'s (?:business|job|task|concern)\b|\b(?:the|our|their) (?:vendor|manufacturer|supplier)\b",
    r"\bnot (?:from )?here\b|\b(?:everything|all) else\b|\bsee (?:the )?[\w-]+(?: policy|[,:])",
    r"\b(?:copy|copied|copypast\w*|pasted? from|based on|modell?ed (?:on|after))\b",
    r"\b(?:upstream|helm) chart\b|\btemplate:",
    r"\b(?:taken|borrowed|inherited|adapted|derived|lifted|stolen)(?: over)? from\b|\bfrom (?:the )?[\w-]+,? where\b",
    r"\b(?:similar|analogous|identical) to\b|\bsame (?:rule|policy)\b|(?:^|[,(:] ?)(?:like|as) (?:the|in|with)\b",
    # Somebody would like it.
    r"\b(?:want|wish|ask|demand|insist|propos|suggest|request|like|hope|argu|promis|expect|consider)\w*"
    r" (?:to |for |on |that )?(?:any|arbitrary|every|all|more|an?|support|allow|add)\b",
    r"\brequest from\b|\b(?:undecided|decided|discuss\w*|debat\w*)\b",
    # It comes in.
    _TO_US,
)
"""What makes "open" doubtful, wherever in the comment it stands."""
NOT_BACK: Final = re.compile(
    r"\b(?:no|not|never|cannot|can't|couldn't|isn't|aren't|doesn't|don't|without|instead of|rather than|impossible to"
    r"|hard to)(?: \w+)? $"
)
USELESS: Final = re.compile(
    r"[\w ]{0,12}\b(?:impossible|infeasible|impractical|pointless|useless|hopeless|no sense|not possible"
    r"|(?:does not|doesn't|won't|would not|can't|cannot|can not) (?:work|help|cover|exist|keep))\b"
)
"""An allow-list that there is not, before and after the word."""
SUBJECT: Final = re.compile(
    r"(?:^|[,;.:(] ?|\b(?:the|and|while|whereas|but) )(?:[\w-]+ )?"
    rf"(?!(?:{_USERS}|it|that|which|this|and|also|who)\b)([\w-]+) "
    r"(?:needs|uses|visits|fetches|talks|does|has|goes|sends|reaches|opens|posts|pushes|pulls|calls|gets|only|just|never"
    r"|crawls|downloads|runs|unfurls|writes|reads|stores|uploads|syncs|connects|loads|serves|renders"
    r"|handles|keeps)\b"
)
"""Who does something; where two do, one comment is about two workloads."""
LABEL: Final = re.compile(r"(?:^|[.;,] ?)([a-z][\w-]*):(?= )")
"""The same as "worker: ..., api: ..."."""
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
CHOSEN: Final = re.compile(
    r" whose\b| (?:that |which )?we\b"
    rf"| (?:that |which )?(?!(?:the |a |its )*{_USERS}\b)(?:[\w-]+ ){{1,3}}?"
    r"(?:hands|gives|passes|tells|sends|returns|assigns|pushes|supplies|knows)\b"
)
"""What follows says whose choice it is: an app's, or our own."""
PARTY: Final = re.compile(
    rf"\b(?:{_PARTIES}|people|households?|different|various|depends?|configurable|any \w+|to the (?:world|internet))\b"
    r"|\b(?:each|every) (?!\d|few|night|day|hour|minute|week|month|morning)"
)
KEPT: Final = re.compile(
    r"\b(?:stores?|displays?|shows?|serves?|returns?|persists?|exports?|against)(?: [\w-]+){0,2} $"
)
"""Before what is shown, kept or kept off, and not asked."""
PROTOCOL: Final = re.compile(r"s3|b2|r2|smtp|oauth2?|oidc|ddns|dynamic dns|geo ?ip|vpn .*|back-?ups? .*")
"""Names nobody: where a comment speaks of customers, each may have another."""
REFERENCE: Final = re.compile(r"https?://[^\s/]+/\S+|\bsee\b \S*\.\S+|\S+\.(?:ya?ml|md|json|py|sh)\b")
CLAUSE: Final = re.compile(r"[;!]|(?<=\?)|\.(?=\s|$)|\s[\u2013\u2014]\s")
SOMEBODY: Final = re.compile(r"(?<=[a-z0-9,:/(&+] )(?<![.!?:] )[\"']?(?:the )?([A-Z][a-z]+\w*)|\b([A-Z]\w+)'s\b")
"""A capital letter inside a sentence: a name, whoever that is."""
A_NAME: Final = re.compile(r"(?<![\w./@-])(?:[a-z0-9-]+\.)+[a-z]{2,}\b")
QUOTED_IN: Final = re.compile(
    r"\b([Ll]inks?|URLs?|urls?) (?:in|inside|from) (?:the )?[A-Z]\w+ "
    r"(?:tickets|messages|mails|comments|posts|issues|chats)\b"
)
"""Where links stand, not where they lead."""
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
