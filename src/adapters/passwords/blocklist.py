from __future__ import annotations

import asyncio
import string
from functools import lru_cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final

from adapters.passwords.breach_filter import BreachFilter
from tradingcore.auth.model.password import canonical_password
from tradingcore.auth.ports.passwords import PasswordBlocklist

SHORTEST_UNIT: Final = 4
"""What repeats something shorter is common, whatever it repeats."""

MOST_PADDING: Final = 8
"""A common word with fewer digits and signs around it than this is common too."""

_SEQUENCES: Final = tuple(
    row[::step] * 30 for row in ("1234567890", string.ascii_lowercase, "qwertyuiopasdfghjklzxcvbnm") for step in (1, -1)
)


class ZxcvbnPasswordBlocklist(PasswordBlocklist):
    """The 30,000 passwords of the zxcvbn package, and a filter of breached ones where the operator has built it.

    Looks through case, through digits and signs around a word, through repetition and through runs of a keyboard's keys.
    """

    def __init__(self, breach_filter: Path | None = None) -> None:
        self._breaches = None if breach_filter is None else BreachFilter(breach_filter)

    async def contains(self, password: str) -> bool:
        return await asyncio.to_thread(self._contains, password)

    def _contains(self, password: str) -> bool:
        text = canonical_password(password).casefold()
        word = text.strip(string.digits + string.punctuation + string.whitespace)
        is_padded_word = len(text) - len(word) < MOST_PADDING and (word in _words() or _unit(word) in _words())
        is_common = text in _words() or is_padded_word or _unit(text) in _words() or len(_unit(text)) < SHORTEST_UNIT
        is_run = any(text in sequence for sequence in _SEQUENCES)
        return is_common or is_run or (self._breaches is not None and self._breaches.may_contain(password))


def _unit(text: str) -> str:
    """The shortest text that ``text`` repeats, itself if it repeats none."""
    return text[: (text + text).find(text, 1)] if text else text


@lru_cache(1)
def _words() -> frozenset[str]:
    # Only the list: importing the package builds its whole estimator.
    package = find_spec("zxcvbn")
    assert package is not None, "zxcvbn is installed with the extra auth"
    assert package.origin is not None, "and lies in a folder"
    spec = spec_from_file_location("zxcvbn_words", Path(package.origin).with_name("frequency_lists.py"))
    assert spec is not None, "which has its list"
    assert spec.loader is not None, "in source"
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return frozenset(module.FREQUENCY_LISTS["passwords"])
