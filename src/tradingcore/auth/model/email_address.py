"""Electronic mail addresses, compared as people mean them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from tradingcore.kernel.errors import FieldError, InvalidInput

LONGEST: Final = 254
_LOCAL: Final = re.compile(r"[^\s@<>()\[\],;:\\\"\x00-\x1f\x7f]{1,64}")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class EmailAddress:
    """``text`` is normalised: NFC, the domain in lower-case ASCII. Make one with `parse`."""

    text: str

    def __str__(self) -> str:
        return self.text

    @property
    def comparable(self) -> str:
        """One spelling for all that reach the same mailbox at every provider we know of: letters without case."""
        return unicodedata.normalize("NFC", self.text.casefold())

    @property
    def local_part(self) -> str:
        return self.text.rpartition("@")[0]

    @property
    def masked(self) -> str:
        """Enough to be known by its owner and by nobody else: ``a***@example.org``."""
        return f"{self.text[0]}***@{self.text.rpartition('@')[2]}"

    @classmethod
    def parse(cls, text: str) -> EmailAddress:
        """Raises `InvalidInput`. Checks the form; that the mailbox exists and is its sender's only a mailed token proves."""
        local, at, domain = unicodedata.normalize("NFC", text.strip()).rpartition("@")
        try:
            ascii_domain = domain.encode("idna").decode("ascii").lower()
        except UnicodeError:
            ascii_domain = ""
        labels = ascii_domain.split(".")
        whole = f"{local}@{ascii_domain}"
        # Nothing invisible: neither controls nor spaces of any script, which mail would refuse later.
        is_visible = not any(unicodedata.category(letter)[0] in "CZ" for letter in local)
        has_form = at and is_visible and _LOCAL.fullmatch(local) and ".." not in local and local[0] != "." and local[-1] != "."
        if not has_form or len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)) or len(whole) > LONGEST:
            sentence = "this is not an e-mail address of the form name@example.org"
            raise InvalidInput(sentence, errors=(FieldError("/email", "email", sentence),))
        return cls(whole)
