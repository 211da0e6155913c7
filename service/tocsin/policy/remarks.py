"""What a comment says of the destinations of a workload: open by nature, named, named in part, or none outside. Pure.

It reads English with a few typing errors. It is careful on one side: a comment that only repeats what the rule says
("allow internet", "any host on 443") says nothing, a phrase that is denied or supposed says nothing, and a comment
that names somebody is never taken for "open by nature" alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Final

from tocsin.model import Posture
from tocsin.policy import phrases

_EXCEPTED: Final = re.compile(r"\b(?:cloud|vendor|exception|otherwise|during|until|later|at first|hence)\b")
_OF_SERVICES: Final = re.compile(r"notifications|web ?hooks|integrations")
"""What is not vague where the name of a service stands before it."""
_NOT_ANYWHERE: Final = re.compile(r"\b(?:not|never) (?:to )?anywhere")
MAX_READ: Final = 4000
"""Characters of a comment that are read."""
_NOT_ALONE: Final = re.compile(r"\b(?:not|more than) (?:only|just) (?:\w+ )?$")
_BACK: Final = tuple(map(re.compile, phrases.TAKEN_BACK))
_COMPILED: Final = {
    "open": tuple(map(re.compile, phrases.OPEN)),
    "named": tuple(map(re.compile, phrases.NAMED)),
    "vague": tuple(map(re.compile, phrases.VAGUE)),
    "lan": tuple(map(re.compile, phrases.LAN)),
    "loose": tuple(map(re.compile, phrases.LOOSE)),
}


@dataclass(frozen=True, slots=True)
class Remark:
    """The words of a comment that count, by what they say.

    `doubts` stand beside words that say "open": names, and whatever takes it back.
    """

    open: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    vague: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    lan: tuple[str, ...] = ()

    @property
    def posture(self) -> Posture | None:
        """What they come to; None where they say nothing or contradict each other."""
        kinds = [kind for kind in ("open", "named", "lan") if getattr(self, kind)]
        if self.loose and kinds == ["named"]:
            return None
        if len(kinds) > 1 or (self.lan and self.vague):
            return None
        if kinds == ["open"]:
            return None if self.doubts else Posture.UNBOUNDED
        if self.vague:
            return Posture.BETWEEN
        return {"named": Posture.BOUNDED, "lan": Posture.LAN_ONLY}[kinds[0]] if kinds else None

    def __add__(self, other: "Remark") -> "Remark":
        return Remark(*(getattr(self, key) + getattr(other, key) for key in self.__slots__))


@lru_cache(maxsize=4096)
def read(text: str, *, needs_egress: bool = False) -> Remark:
    """Reads a comment; its lines may be joined by spaces. `needs_egress`: only clauses that speak of egress count."""
    found: dict[str, list[str]] = {kind: [] for kind in _COMPILED}
    plain = _plain(text)
    for clause in phrases.CLAUSE.split(plain):
        if _counts(clause) and (phrases.OUTBOUND.search(clause) or not needs_egress):
            for kind, patterns in _COMPILED.items():
                found[kind] += [said for pattern in patterns for said in _said(kind, pattern, clause)]
    if phrases.PARTY.search(plain):
        found["named"] = [said for said in found["named"] if not phrases.PROTOCOL.fullmatch(said)]
    doubts = tuple(dict.fromkeys((*_somebody(text), *_taken_back(plain)))) if found["open"] else ()
    return Remark(**{kind: tuple(dict.fromkeys(said)) for kind, said in found.items()}, doubts=doubts)


def _somebody(text: str) -> Iterator[str]:
    """Whoever is named by a capital letter, known or not."""
    for found in phrases.SOMEBODY.finditer(phrases.QUOTED_IN.sub(r"\1", phrases.REFERENCE.sub(" ", text[:MAX_READ]))):
        name = found[1] or found[2]
        if name.lower() not in phrases.NOBODY:
            yield name


def _taken_back(plain: str) -> Iterator[str]:
    """What makes "open" doubtful in any clause: a check, a list, a plan, a name, a second workload."""
    for pattern in _BACK:
        for found in pattern.finditer(plain):
            if not phrases.NOT_BACK.search(plain[: found.start()]) and not phrases.USELESS.match(plain[found.end() :]):
                yield found[0].strip()
    for found in phrases.A_NAME.finditer(plain):
        if not _NOT_ALONE.search(plain[: found.start()]):
            yield found[0]
    for pattern in (phrases.SUBJECT, phrases.LABEL):
        subjects = dict.fromkeys(pattern.findall(plain))
        if len(subjects) > 1:
            yield from subjects


def _counts(clause: str) -> bool:
    """Whether a clause states a fact about what goes out: no question, no plan, no risk, nothing that comes in."""
    if clause.rstrip(" )").endswith("?") or phrases.SUPPOSED.search(clause):
        return False
    return not phrases.INBOUND.search(clause) or bool(phrases.OUTBOUND.search(clause))


def _said(kind: str, pattern: re.Pattern[str], clause: str) -> list[str]:
    denied = phrases.NOT_BACK if kind == "loose" else phrases.DENIED
    return [
        match[0].strip()
        for match in pattern.finditer(clause)
        if not (kind != "lan" and denied.search(clause[: match.start()])) and not _excused(kind, match[0], clause)
    ]


def _excused(kind: str, said: str, clause: str) -> bool:
    """Whether the rest of the clause takes back what a phrase of it says, or says whom it is about."""
    before, _, after = clause.partition(said)
    match kind:
        case "lan":
            return bool(_EXCEPTED.search(clause))
        case "vague" if _OF_SERVICES.fullmatch(said.strip()):
            return bool(re.search(rf"\b(?:{phrases.SERVICES})(?: \w+)? {re.escape(said.strip())}", clause))
        case "named":
            return bool(_NOT_ALONE.search(before))
        case "open":
            denied = (
                phrases.DENIED_AT_ALL.search(before)
                or phrases.KEPT.search(before)
                or phrases.UNDONE.search(after)
                or _NOT_ANYWHERE.search(said)
            )
            listed = re.search(r"enumerat|list|predict|foresee|known", said) and phrases.ABOUT_ADDRESSES.search(clause)
            peers = re.search(r"p2p|peer", said) and phrases.OWN_PEERS.search(clause)
            return bool(
                denied
                or listed
                or peers
                or phrases.WHOSE.search(clause)
                or phrases.HANDED.match(after)
                or phrases.CHOSEN.match(after)
            )
    return False


def _plain(text: str) -> str:
    lower = phrases.REFERENCE.sub(" ", text[:MAX_READ].lower().replace("\u2019", "'"))
    return re.sub(r"[a-z]{7,}", lambda word: _spelt(word[0]), re.sub(r"[\s`*_\"]+", " ", lower.replace("*.", "")))


@lru_cache(maxsize=4096)
def _spelt(word: str) -> str:
    close = get_close_matches(word, phrases.HARD, n=1, cutoff=0.88)
    return close[0] if close and word not in close[0] and close[0] not in word else word  # qbittorrent is an app
