"""Hides what a vendor repeats of a call: an error may name the very customer that it is about.

`answers.scrub` recognises addresses and numbers by their form. A name looks like any other word,
but the call itself says which words are a customer's. All words of an answer's text and code are
looked up in one pass over the call's body, so the cost is linear in both, whatever they contain:

    candidates   the text's words in every spelling that is tried (below), at most some thousands
    held         those of them that the body has as words, found part by part of `PART` bytes
    hidden       every word with a held spelling

A word has three or more letters or digits; `_` separates words. Case, accents, both alphabets' i
and Unicode's compatibility forms are folded. Besides the word itself are tried: its runs of letters
and of digits (`ada1990`), two words written as one (`adayilmaz`), and its base64 decoding.
"""

from __future__ import annotations

import binascii
import re
import unicodedata
from base64 import urlsafe_b64decode
from collections.abc import Collection, Iterator
from dataclasses import replace
from string import ascii_letters
from typing import Final

from consumer.records.call import Outcome
from consumer.vendors.answers import HIDDEN

PART: Final = 1 << 16
"""Bytes of a body that are folded at a time, so that other threads can run in between."""

_LEAST: Final = 3
_WORD = re.compile(rf"[^\W_]{{{_LEAST},}}")
_RUN = re.compile(rf"[^\W\d_]{{{_LEAST},}}|\d{{{_LEAST},}}")
_PACKED = re.compile(r"[A-Za-z0-9+/_-]{4,}={0,2}")
_ESCAPE = re.compile(rb"\\(?:u[0-9a-fA-F]{4}|.)")
_ACCENTS = re.compile(r"[\u0300-\u036f]")
_ALIKE: Final = str.maketrans({"ı": "i", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe"})
_HIDDEN_WORDS = re.compile(rf"{re.escape(HIDDEN)}(?: {re.escape(HIDDEN)})+")
_NUMBERS_END: Final = 5
"""Digits of a code from which on it may be the beginning or the end of a longer number."""


def is_clean(outcome: Outcome, known: Collection[str]) -> bool:
    """Tell whether an outcome cannot hold an echo: no text, no reference, and no code but a `known`
    one."""
    codes = (outcome.code, *outcome.failed.values())
    named = any(code is not None and code not in known for code in codes)
    return not (outcome.message or named or outcome.reference)


def cleaned(outcome: Outcome, body: bytes, known: Collection[str]) -> Outcome:
    """Return the outcome of a call with this body, without the words that both contain.

    A code that is not `known` (documented, or named by the config) is dropped if it is such a word,
    and so are a reference and the codes of failed recipients.
    A harmless word that a customer's data contains is hidden, too: only known codes matter.
    """
    message = outcome.message or ""
    codes = {outcome.code, *outcome.failed.values()}.difference(known) - {None}
    words = {*codes, outcome.reference or ""}
    held = _held(body, _spellings(message).union(*(_spellings(word or "") for word in words)))
    echoed = {word for word in words if word and _echoed(word, held, body)}
    if outcome.code in echoed:
        outcome = replace(outcome, code=None)
    if outcome.reference in echoed:
        outcome = replace(outcome, reference=None)
    if echoed.intersection(outcome.failed.values()):
        failed = {at: None if code in echoed else code for at, code in outcome.failed.items()}
        outcome = replace(outcome, failed=failed)
    return replace(outcome, message=_shown(message, held)) if message else outcome


def _echoed(word: str, held: set[str], body: bytes) -> bool:
    return _echoes(word, held) or _ends_a_number(word, body)


def _shown(message: str, held: set[str]) -> str:
    def hidden(found: re.Match[str]) -> str:
        return HIDDEN if _echoes(found.group(), held) else found.group()

    text = _PACKED.sub(lambda found: HIDDEN if _packed(found[0]) & held else found[0], message)
    return _HIDDEN_WORDS.sub(HIDDEN, _WORD.sub(hidden, text))


def _echoes(text: str, held: set[str]) -> bool:
    """Tell whether a word is held, or a run of it, or both of two words that it consists of."""
    return any(
        run in held or any(run[:at] in held and run[at:] in held for at in _cuts(run))
        for run in _runs(text)
    )


def _spellings(text: str) -> set[str]:
    """Return all spellings that `_echoes` and `_shown` look up."""
    found: set[str] = set()
    for run in _runs(text):
        found.add(run)
        for at in _cuts(run):
            found.update((run[:at], run[at:]))
    for packed in _PACKED.findall(text):
        found |= _packed(packed)
    return found


def _runs(text: str) -> Iterator[str]:
    """Yield a text's words, and their runs of letters and of digits."""
    for word in _WORD.findall(folded(text)):
        yield word
        yield from _RUN.findall(word)


def _cuts(word: str) -> range:
    return range(_LEAST, len(word) - _LEAST + 1)


def _packed(text: str) -> set[str]:
    """Return the words of a text's base64 decoding; empty if it is no base64."""
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        decoded = urlsafe_b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except (binascii.Error, ValueError):
        return set()
    return set(_WORD.findall(folded(decoded)))


def _held(body: bytes, candidates: set[str]) -> set[str]:
    """Return the candidates that the body has as words."""
    held: set[str] = set()
    for part in _parts(body):
        if len(held) == len(candidates):
            break
        held |= candidates.intersection(_WORD.findall(folded(part)))
    return held


def _ends_a_number(code: str, body: bytes) -> bool:
    """Tell whether a code's digits begin or end a longer number of the body, such as a phone."""
    digits = code.lstrip(f"-_{ascii_letters}")
    if len(digits) < _NUMBERS_END:
        return False
    edge = re.compile(rf"(?<!\d){digits}\d|\d{digits}(?!\d)", re.ASCII)
    return any(edge.search(part) for part in _parts(body))


def _parts(body: bytes) -> Iterator[str]:
    """Yield the body's text, cut at a JSON text's quote, and without JSON's escapes."""
    at = 0
    while at < len(body):
        end = body.find(b'"', at + PART)
        end = len(body) if end < 0 else end
        yield _ESCAPE.sub(b" ", body[at:end]).decode(errors="replace")
        at = end


def folded(text: str) -> str:
    """Fold case, accents and compatibility forms, so that spellings of one word are equal."""
    if text.isascii():
        return text.lower()
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return plain.casefold().translate(_ALIKE)
