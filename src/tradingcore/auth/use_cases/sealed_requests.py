"""Questions about an address that nobody may learn the answer of: taken the same way whatever the answer is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, TypeVar
from uuid import UUID

from tradingcore.auth.events import SealedRequest
from tradingcore.auth.ports.sealing import PurposeSealer
from tradingcore.auth.use_cases.mailing import Announcing
from tradingcore.kernel.codec import decode, encode
from tradingcore.kernel.ports import Clock, IdGenerator

P = TypeVar("P", bound=object)

REQUEST_PURPOSE: Final = "request"


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRequests:
    """Between the call that asks and the reaction that answers by mail.

    Whoever asks has one insert done for them, with no look at any account: there is nothing in the answer, and nothing in the time
    that it takes, to tell a known address from an unknown one.
    """

    sealer: PurposeSealer
    clock: Clock
    ids: IdGenerator

    def announce(self, unit: Announcing, kind: type[SealedRequest], asked: object) -> None:
        """``asked`` is a dataclass of JSON-ready fields."""
        request_id = self.ids.new_id()
        content = json.dumps(encode(asked), separators=(",", ":")).encode()
        sealed = self.sealer.seal(content, purpose=REQUEST_PURPOSE, about=_about(kind, request_id))
        unit.announce(kind(occurred_at=self.clock.now(), request_id=request_id, sealed=sealed))

    def open(self, request: SealedRequest, asked: type[P]) -> P:
        content = self.sealer.open(request.sealed, purpose=REQUEST_PURPOSE, about=_about(type(request), request.request_id))
        return decode(asked, json.loads(content))


def _about(kind: type[SealedRequest], request_id: UUID) -> str:
    return f"{kind.type}:{request_id}"
