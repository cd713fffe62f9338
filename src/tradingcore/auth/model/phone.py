"""Phone numbers, the proof that one belongs to a user, and what sending codes costs."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from tradingcore.auth.errors import PhoneUnavailable
from tradingcore.auth.ids import PhoneProofId, PhoneSendId
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.errors import InvalidInput

PROOF_LIFETIME: Final = timedelta(minutes=10)
MOST_PROOF_ATTEMPTS: Final = 5
CODE_DIGITS: Final = 6
CODE_BYTES: Final = 16
"""Random bytes behind a code: so many that no code is likelier than another by more than one part in 10^32."""

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_CODE: Final = re.compile(rf"[0-9]{{{CODE_DIGITS}}}")


class PhoneChannel(StrEnum):
    SMS = "sms"
    WHATSAPP = "whatsapp"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneNumber:
    """A number that can receive codes. ``region`` is the country (ISO 3166-1 alpha-2), ``block`` the first digits of the number.

    A block is what a carrier hands out as a whole: whoever earns on the traffic to a range of numbers owns blocks, not countries.
    """

    e164: str
    region: str
    block: str

    def __post_init__(self) -> None:
        if not _E164.fullmatch(self.e164) or not self.e164.startswith(self.block) or len(self.block) < 2:
            raise InvalidInput("a phone number is stored as + and 7 to 15 digits, with a block that it begins with")

    def __str__(self) -> str:
        return self.masked

    @property
    def masked(self) -> str:
        """What may be shown in a mail: the country and the last two digits."""
        return f"{self.e164[:3]}…{self.e164[-2:]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """The proven number of a user."""

    user_id: UserId
    number: PhoneNumber
    channel: PhoneChannel
    confirmed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneProof:
    """A code on its way to a number. It holds for one user in one session; attempts are counted before a code is looked at.

    ``code_hash`` is ``None`` when the provider keeps the code; then ``reference`` is what the provider calls the proof.
    """

    id: PhoneProofId
    user_id: UserId
    session_id: UUID | None
    number: PhoneNumber
    channel: PhoneChannel
    send_id: PhoneSendId
    code_hash: bytes | None
    created_at: datetime
    expires_at: datetime
    reference: str | None = None
    attempts: int = 0
    closed_at: datetime | None = None

    def is_open(self, *, session_id: UUID | None, at: datetime) -> bool:
        """Whether a code that is given in this session may be looked at."""
        return (
            self.closed_at is None
            and at < self.expires_at
            and self.attempts < MOST_PROOF_ATTEMPTS
            and self.session_id == session_id
        )

    def matches(self, code_hash: bytes) -> bool:
        """In constant time."""
        return self.code_hash is not None and hmac.compare_digest(self.code_hash, code_hash)


def code_from(randomness: bytes) -> str:
    """Six digits from `CODE_BYTES` random bytes."""
    return f"{int.from_bytes(randomness) % 10**CODE_DIGITS:0{CODE_DIGITS}}"


def is_code(text: str) -> bool:
    return _CODE.fullmatch(text) is not None


class DeliveryState(StrEnum):
    """How far a message got; later states never go back to earlier ones."""

    RESERVED = "reserved"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"


RANKS: Final = {DeliveryState.RESERVED: 0, DeliveryState.SENT: 1, DeliveryState.DELIVERED: 2, DeliveryState.FAILED: 2}
"""A report moves a message only to a higher rank, in whatever order reports come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSend:
    """A message that is about to cost ``price``."""

    id: PhoneSendId
    block: str
    price: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendLimits:
    """What may be spent in a day (UTC), by everybody and in each block, and when a block is taken for an attack.

    Of the last ``window`` sends to a block ``least_converted`` must have ended in a right code, or the block is closed for
    ``closed_for``. Blocks that have not shown that share of right codes over at least ``proven_by`` sends may together spend no
    more than half of the day's cap: so an attack on fresh blocks cannot use up what people in ordinary ones need.
    """

    daily_cap: Decimal
    daily_cap_per_block: Decimal
    window: int = 50
    least_converted: Decimal = Decimal("0.2")
    closed_for: timedelta = timedelta(hours=24)
    proven_by: int = 10

    def __post_init__(self) -> None:
        if self.daily_cap < 0 or self.daily_cap_per_block < 0:
            raise InvalidInput("a budget for codes is at least 0")


class SendRefusal(StrEnum):
    """Why nothing is sent; for operators and metrics, callers are not told."""

    STOPPED = "stopped"
    DAILY_CAP = "daily_cap"
    UNPROVEN_CAP = "unproven_cap"
    BLOCK_CAP = "block_cap"
    BLOCK_CLOSED = "block_closed"


def refusal_of(
    planned: PlannedSend,
    limits: SpendLimits,
    *,
    is_stopped: bool,
    is_block_closed: bool,
    spent: Decimal,
    spent_unproven: Decimal,
    spent_in_block: Decimal,
    is_proven: bool,
) -> SendRefusal | None:
    """The rule over what the ledger has counted so far, the same for every storage."""
    if is_stopped:
        return SendRefusal.STOPPED
    if is_block_closed:
        return SendRefusal.BLOCK_CLOSED
    if spent + planned.price > limits.daily_cap:
        return SendRefusal.DAILY_CAP
    if spent_in_block + planned.price > limits.daily_cap_per_block:
        return SendRefusal.BLOCK_CAP
    if not is_proven and spent_unproven + planned.price > limits.daily_cap / 2:
        return SendRefusal.UNPROVEN_CAP
    return None


def nothing_is_sent(refusal: SendRefusal) -> PhoneUnavailable:
    """One sentence for every refusal; which one it was travels as a note."""
    error = PhoneUnavailable("no code can be sent to this number now: try again tomorrow, or another number")
    error.add_note(refusal.value)
    return error


def is_attack(limits: SpendLimits, *, sends: int, converted: int) -> bool:
    """Whether the last sends of a block look like traffic that somebody earns on."""
    return sends >= limits.window and converted < limits.least_converted * sends


def has_proven_itself(limits: SpendLimits, *, sends: int, converted: int) -> bool:
    return sends >= limits.proven_by and converted >= limits.least_converted * sends


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendStatus:
    """What an operator sees of the day."""

    is_stopped: bool
    spent: Decimal
    sends: int
    converted: int
    closed_blocks: tuple[str, ...]
