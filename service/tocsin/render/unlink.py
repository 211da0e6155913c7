"""Makes sure that nothing in a finished line can be tapped. Pure, and safe to apply twice.

Phones turn bare domains, addresses and schemes into links: Android's Linkify.WEB_URLS and iOS's link detector
know the top-level domains and also find them inside a longer word, so `evil.com.a[.]example` still offers
`evil.com`. This pass comes after `inert.defang` and breaks what that leaves over.
"""

import re

CUT_GROWTH = 2
"""Code points and bytes that sealing adds to a sealed text after it was cut: the cut may end in a new domain."""

_KNOWN = (
    "com net org info biz edu gov mil int arpa name pro mobi travel jobs museum coop aero asia post tel cat xxx "
    "xyz top site online shop store club app dev page cloud live tech icu vip work fun space website click link "
    "buzz zip mov win bid loan men date stream download review party trade racing science faith cricket accountant "
    "network systems digital agency email support services solutions world today news blog media video games game "
    "zone host press life love one best new run how foo day ink bar bet sbs cfd cyou rest lol monster quest beauty "
    "hair skin makeup autos boats homes yachts design studio art wiki chat social center company group team tools "
    "money finance bank cash credit exchange market markets trading capital fund global city house land plus red "
    "blue pink black green kim moe ninja rocks guru expert academy school university church care health clinic bio "
    "eco energy solar farm garden pizza cafe coffee restaurant bar pub beer wine hotel tours holiday golf fit run "
    "london berlin paris tokyo nyc amsterdam africa google amazon aws apple microsoft youtube onion"
)
_TOP_LEVEL = "|".join(sorted(set(_KNOWN.split()), key=len, reverse=True))
_DOT = re.compile(rf"(?i)(?<=[^\W_])\.(?=(?:[a-z]{{2}}|xn--[a-z0-9-]+|[^\W\d_\x00-\x7f][\w-]*|{_TOP_LEVEL})(?![\w-]))")
_FULL_STOPS = re.compile(r"(?<=\w)[。．｡․](?=\w)")
_ADDRESS = re.compile(r"(?<![\d.])((?:\d{1,3}\.){2}\d{1,3})\.(?=\d{1,3}(?!\d))")
_HTTP = re.compile(r"(?i)\bh(?:tt)(ps?)(?=\[?:)")
_SCHEME = re.compile(r"(?<!\[)://|(?<=\[)://(?!\])")
_AT = re.compile(r"(?<!\[)@|(?<=\[)@(?!\])")


def seal(text: str) -> str:
    """Returns `text` with the dots, schemes and at-signs in brackets that would make some of it a link."""
    text = _SCHEME.sub("[://]", _HTTP.sub(r"hxx\1", text))
    text = _FULL_STOPS.sub(".", _AT.sub("[@]", text))
    return _ADDRESS.sub(r"\1[.]", _DOT.sub("[.]", text))
