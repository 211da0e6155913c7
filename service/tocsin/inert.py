"""Makes text that somebody else wrote harmless to show. Pure.

A label value, a pod name or a DNS name is chosen by whoever controls the pod or the repository. Before a
person sees it, control and format characters become `\\xNN`, links and mentions lose their teeth, and the length
is bounded. Markup (HTML, Markdown) is escaped later, by the channel that has it.
"""

import re
import unicodedata

_HTTP = re.compile(r"(?i)\b(h)tt(ps?)(?=://)")
_DOTTED = re.compile(r"(?<=[\w*-])\.(?=[\w*-])")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def text(value: str, limit: int = 200) -> str:
    """Returns `value` on one line, without control or format characters, at most `limit` code points."""
    if value.isascii() and value.isprintable():
        return clip(value, limit)
    shown = "".join(
        " " if char in "\n\r\t" else f"\\x{ord(char):02x}" if unicodedata.category(char) in _UNSEEN else char
        for char in value[: limit * 2]
    )
    return clip(shown, limit)


def clip(value: str, limit: int) -> str:
    """Cuts `value` to at most `limit` code points, the last of which is then an ellipsis."""
    return value if len(value) <= limit else value[: max(limit - 1, 0)].rstrip() + "…" if limit > 0 else ""


def defang(value: str) -> str:
    """Makes a name or sentence unlinkable: the last dot of every dotted word, `@` and URL schemes are bracketed."""
    value = _HTTP.sub(r"\1xx\2", value).replace("://", "[://]").replace("@", "[@]")
    return re.sub(r"\S+", lambda word: _last_dot(word[0]), value)


def _last_dot(word: str) -> str:
    dots = [found.start() for found in _DOTTED.finditer(word)]
    if not dots or not any(char.isalpha() for char in word[dots[-1] + 1 :]):
        return word  # a version or a number: no phone turns it into a link
    return f"{word[: dots[-1]]}[.]{word[dots[-1] + 1 :]}"
