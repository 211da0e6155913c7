"""Makes sure that nothing in a finished line can be tapped. Pure, and safe to apply twice.

Phones turn bare domains, addresses and schemes into links: Android's Linkify.WEB_URLS and iOS's link detector
know the top-level domains and also find them inside a longer word, so `evil.com.a[.]example` still offers
`evil.com`, and so does `evil.com-a`. This pass comes after `inert.defang` and breaks what that leaves over.
"""

import re

from tocsin.destination import is_top_level

CUT_GROWTH = 2
"""Code points and bytes that sealing adds to a sealed text after it was cut: the cut may end in a new domain."""

_DOT = re.compile(r"(?<=[^\W_])\.(?=(xn--[\w-]+|[^\W_]+))")
_FULL_STOPS = re.compile(r"(?<=\w)[。．｡․](?=\w)")
_ADDRESS = re.compile(r"(?<![\d.])((?:\d{1,3}\.){2}\d{1,3})\.(?=\d{1,3}(?!\d))")
_HTTP = re.compile(r"(?i)\bh(?:tt)(ps?)(?=\[?:)")
_SCHEME = re.compile(r"(?<!\[)://|(?<=\[)://(?!\])")
_OPENERS = re.compile(r"(?i)\b(mailto|tel|sms|geo|market|intent|javascript|data):(?=\S)")
_AT = re.compile(r"(?<!\[)@|(?<=\[)@(?!\])")


def seal(text: str) -> str:
    """Returns `text` with the dots, schemes and at-signs in brackets that would make some of it a link."""
    text = _SCHEME.sub("[://]", _HTTP.sub(r"hxx\1", text))
    text = _FULL_STOPS.sub(".", _AT.sub("[@]", _OPENERS.sub(r"\1[:]", text)))
    return _ADDRESS.sub(r"\1[.]", _DOT.sub(lambda found: "[.]" if _ends_a_domain(found[1]) else ".", text))


def _ends_a_domain(label: str) -> bool:
    """Whether a phone takes what stands before this label for a name below it: it is a top-level domain, or foreign."""
    return not label.isascii() or label.lower().startswith("xn--") or is_top_level(label.lower())
