"""What a DNS name itself gives away: it imitates an expected one, or it carries data. Pure.

Both are conservative: a false alarm costs trust. Each signal is a sentence, or None.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from tocsin.destination import registered_label, registrable_domain, shorten
from tocsin.inert import defang
from tocsin.model import Destination

_LETTER_LIKE = str.maketrans("0134578", "oleastb")
_PAIR_LIKE = (("rn", "m"), ("vv", "w"), ("cl", "d"), ("ii", "u"))
_DRAWN_LIKE = {
    "a": "аα", "b": "вβ", "c": "с", "d": "ԁđ", "e": "еёε", "h": "һн", "i": "іιı", "j": "ј", "k": "кκ", "l": "ӏł",
    "m": "м", "n": "пη", "o": "оοø", "p": "рρ", "q": "ԛ", "r": "г", "s": "ѕş", "t": "тτ", "u": "υц", "v": "νѵ",
    "w": "ԝω", "x": "хχ", "y": "у",
}  # fmt: skip
_FOREIGN_LIKE = {ord(foreign): latin for latin, foreigners in _DRAWN_LIKE.items() for foreign in foreigners}
_SHORTEST_IMITATED = 5
_TWO_EDITS_FROM = 9

_UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
_RAW_BYTE = re.compile(r"\\x[89a-f][0-9a-f]")
_LONG_LABEL = 41
"""Longer than any hash that commonly names a host (MD5 32, SHA-1 40)."""
_LONG_TOTAL = 60
_SET_LABEL = 16
_SET_NAMES = 10


def lookalike(destination: Destination, expected: Iterable[str]) -> str | None:
    """Whether the registrable domain imitates that of an expected name or pattern."""
    mixed = _mixed_alphabets(destination.domain)
    if mixed:
        return f"{defang(shorten(destination.domain))} mixes {mixed} in one word, as imitations do"
    own = registered_label(destination.domain)
    for pattern in expected:
        genuine = registrable_domain(pattern.removeprefix("**.").removeprefix("*."))
        theirs = registered_label(genuine)
        if "*" in genuine or genuine == destination.domain or own == theirs or len(theirs) < _SHORTEST_IMITATED:
            continue
        if _imitates(own, theirs):
            return f"{defang(shorten(destination.domain))} looks like {defang(genuine)}, which is expected"
    return None


def tunnel_shaped(destinations: Sequence[Destination], ignored: Sequence[str]) -> str | None:
    """Whether the names below one registrable domain carry data, one by one or taken together."""
    kept = [found for found in destinations if not _under(found.name, ignored)]
    for found in kept:
        labels = _below(found)
        if len(_RAW_BYTE.findall("".join(labels))) >= 8:
            return "the name carries raw bytes that no host name has, as DNS tunnels do"
        encoded = [label for label in labels if not _UUID.fullmatch(label) and _looks_encoded(label)]
        longest = max((len(label) for label in encoded), default=0)
        if longest >= _LONG_LABEL or sum(len(label) for label in encoded) >= _LONG_TOTAL:
            carried = sum(len(label) for label in encoded)
            return f"the name carries {carried} characters of encoded data, as DNS tunnels do"
    firsts = {labels[0] for labels in map(_below, kept) if labels}
    made = [label for label in firsts if len(label) >= _SET_LABEL and _looks_encoded(label)]
    if len(firsts) >= _SET_NAMES and len(made) * 5 >= len(firsts) * 4:
        return f"{len(made)} of {len(firsts)} names below it look machine-made, as with DNS tunnels"
    return None


def _below(destination: Destination) -> list[str]:
    rest = destination.name.removesuffix(destination.domain).rstrip(".")
    return [label for label in rest.split(".") if label and label != "*"]


def _under(name: str, domains: Iterable[str]) -> bool:
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)


def _looks_encoded(label: str) -> bool:
    """Letters and digits alternate as in hexadecimal or base32, with the entropy of noise; words do not."""
    if not re.fullmatch(r"[a-z0-9_-]{16,}", label) or label.count("-") > len(label) // 8:
        return False
    turns = sum(one.isdigit() != other.isdigit() for one, other in pairwise(label))
    return turns >= len(label) * 0.15 and _entropy(label) >= 3.0


def _entropy(text: str) -> float:
    """Shannon entropy in bits for each character."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def _imitates(own: str, theirs: str) -> bool:
    plain = _decoded(own).translate(_FOREIGN_LIKE)
    plain = "".join(char for char in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(char))
    if plain != own and plain == theirs:
        return True
    if _skeleton(plain) == _skeleton(theirs):
        return True
    if re.sub(r"\d", "", plain) == re.sub(r"\d", "", theirs):
        return False  # numbered siblings
    return _distance(plain, theirs) <= (2 if len(theirs) >= _TWO_EDITS_FROM else 1)


def _skeleton(label: str) -> str:
    for pair, drawn in _PAIR_LIKE:
        label = label.replace(pair, drawn)
    return label.translate(_LETTER_LIKE).replace("i", "l").replace("-", "")


def _decoded(label: str) -> str:
    """The letters behind punycode; the label itself where it is none."""
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


def _mixed_alphabets(domain: str) -> str | None:
    for label in domain.split("."):
        scripts = {unicodedata.name(char, "?").split()[0] for char in _decoded(label) if char.isalpha()}
        if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE"}:
            return " and ".join(sorted(script.capitalize() for script in scripts))
    return None


def _distance(one: str, other: str) -> int:
    """Edits that turn one word into the other, two swapped neighbours counting once; 3 stands for more than 2."""
    if abs(len(one) - len(other)) > 2:
        return 3
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, start=1):
        before, last, row = row, before, [i]
        for j, right in enumerate(other, start=1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return min(row[-1], 3)
