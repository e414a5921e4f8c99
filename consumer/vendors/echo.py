"""What a vendor repeats of a call: an error may name the very customer that it is about.

`answers.scrub` knows what addresses and numbers look like. A name looks like any other word; but
the call itself says which words are a customer's.
"""

from __future__ import annotations

import re

from consumer.vendors.answers import HIDDEN

_WORD = re.compile(r"\w{3,}")
_HIDDEN_WORDS = re.compile(rf"{re.escape(HIDDEN)}(?: {re.escape(HIDDEN)})+")


def without_echo(message: str | None, body: bytes) -> str | None:
    """`message` without the words, of three letters or more, that the call's `body` holds.

    A harmless word that some customer's data holds goes as well: the code is what counts.
    """
    if not message:
        return message
    carried = _folded(body.decode(errors="replace"))

    def shown(found: re.Match[str]) -> str:
        return HIDDEN if _holds(carried, _folded(found.group())) else found.group()

    return _HIDDEN_WORDS.sub(HIDDEN, _WORD.sub(shown, message))


def _holds(text: str, word: str) -> bool:
    """As a whole word; the quick look comes first, for a body may have megabytes."""
    return word in text and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None


def _folded(text: str) -> str:
    """Without the letters' case, and as both alphabets write the i with and without its dot."""
    return text.casefold().replace("ı", "i").replace("\N{COMBINING DOT ABOVE}", "")
