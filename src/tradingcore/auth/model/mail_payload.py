"""What a requested mail says, as it travels sealed inside its event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAIL_PURPOSE: Final = "mail"
"""For the sealer; a payload is sealed about the id of its mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPayload:
    """``locale`` is the language of the recipient (BCP 47); ``values`` are what the template needs."""

    to: str
    locale: str
    values: Mapping[str, str]

    def to_bytes(self) -> bytes:
        return json.dumps({"to": self.to, "locale": self.locale, "values": dict(self.values)}, separators=(",", ":")).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> MailPayload:
        stored = json.loads(content)
        return cls(to=stored["to"], locale=stored["locale"], values=stored["values"])
