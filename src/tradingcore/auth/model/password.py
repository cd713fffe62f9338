"""Passwords: as they are kept, and which ones may be chosen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from tradingcore.auth.errors import PasswordRefused
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.kernel.errors import FieldError, InvalidInput

SHORTEST: Final = 12
SHORTEST_OF_STAFF: Final = 15
SHORTEST_BESIDE_A_SECOND_FACTOR: Final = 8
LONGEST: Final = 256
PRODUCT_WORDS: Final = frozenset({"tradingcore"})
SHORTEST_WORD: Final = 4
"""Shorter words occur inside others by chance."""

_SEPARATORS: Final = re.compile(r"[\W_\d]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordHash:
    """What is stored of a password. ``scheme`` names how ``encoded`` was made, so that it can be made better at a sign-in."""

    scheme: str
    encoded: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordCheck:
    """``is_outdated``: the password is right and its hash is not what would be made of it today; store a new one."""

    is_right: bool
    is_outdated: bool = False


def canonical_password(password: str) -> str:
    """The spelling that is checked and hashed (NFC), so that keyboards which compose letters otherwise agree."""
    return unicodedata.normalize("NFC", password)


def context_words(*, email: EmailAddress | None = None, display_name: str = "") -> frozenset[str]:
    """What anybody who knows the person tries first: the name and the address, whole and in parts, and the product's name."""
    given = [display_name, *(() if email is None else (email.local_part,))]
    whole = [] if email is None else [email.text]
    parts = [*whole, *(part for text in given for part in (text, *_SEPARATORS.split(text)))]
    return PRODUCT_WORDS | {part.casefold() for part in map(canonical_password, parts) if len(part) >= SHORTEST_WORD}


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordPolicy:
    """How long a password is (NIST 800-63B-4, 3.1.1.2). No rule asks for kinds of characters, and no password expires.

    ``shortest`` may go down to 8 only where every sign-in asks for a second factor.
    """

    shortest: int = SHORTEST
    is_second_factor_forced: bool = False

    def __post_init__(self) -> None:
        floor = SHORTEST_BESIDE_A_SECOND_FACTOR if self.is_second_factor_forced else SHORTEST
        if not floor <= self.shortest <= LONGEST // 4:
            raise InvalidInput(
                f"the shortest password has {floor} to {LONGEST // 4} characters, was {self.shortest}"
                + ("" if self.is_second_factor_forced else "; fewer than 12 need a second factor for everybody")
            )

    def check(self, password: str, *, is_staff: bool = False, words: Collection[str] = PRODUCT_WORDS) -> None:
        """Raise `PasswordRefused` for a password that is too short or too long, or little more than ``words``.

        ``words`` are those of `context_words`. Lengths are counted in code points.
        """
        chosen = canonical_password(password)
        shortest = max(self.shortest, SHORTEST_OF_STAFF) if is_staff else self.shortest
        if not shortest <= len(chosen) <= LONGEST:
            raise _refused("length", f"a password has {shortest} to {LONGEST} characters, had {len(chosen)}")
        if any("\ud800" <= letter <= "\udfff" for letter in chosen):
            raise _refused("text", "a password is text: it held half of a surrogate pair")
        folded = rest = chosen.casefold()
        for word in sorted(words, key=len, reverse=True):
            rest = rest.replace(word, "")
        if rest != folded and len(rest) < shortest:
            raise _refused("context", f"your name, your address and this product's name count for nothing: add {shortest} others")


def common_password() -> PasswordRefused:
    """For a password that the blocklist knows."""
    return _refused("common", "this password is among those that are tried first: choose another one")


def _refused(code: str, sentence: str) -> PasswordRefused:
    return PasswordRefused(sentence, errors=(FieldError("/password", code, sentence),))
