"""Phone numbers, the messages that prove them, and the budget that the messages are paid from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from tradingcore.auth.errors import PhoneUnavailable
from tradingcore.auth.ids import PhoneProofId, PhoneSendId
from tradingcore.auth.model.phone import (
    DeliveryState,
    Phone,
    PhoneChannel,
    PhoneNumber,
    PhoneProof,
    PlannedSend,
    SpendLimits,
    SpendStatus,
)
from tradingcore.auth.ports.accounts import AccountRepository
from tradingcore.kernel.aggregate import DomainEvent
from tradingcore.kernel.authz import UserId


class PhoneNumbering(Protocol):
    """Knows the numbering plans of the world. Asks nobody: what it knows is on this machine."""

    __slots__ = ()

    @abstractmethod
    def parse(self, text: str) -> PhoneNumber:
        """Return the number that ``text``, in international form, means.

        Raises `PhoneRefused` for what is no number, and for numbers that are not mobile ones: premium, toll-free, shared-cost,
        fixed, unassigned.
        """


class PhoneRepository(Protocol):
    """The number of each user, and proofs under way. Rows of others do not exist: changing them changes nothing.

    What is changed conditionally is changed by one statement: of concurrent callers one is told so. The others are told ``None``
    or ``False``, or their unit of work raises `StaleVersion` when it ends.
    """

    __slots__ = ()

    @abstractmethod
    async def find(self, user_id: UserId) -> Phone | None: ...

    @abstractmethod
    async def put(self, phone: Phone) -> None:
        """Store it in place of the user's earlier one."""

    @abstractmethod
    async def remove(self, user_id: UserId) -> bool:
        """Forget the number and end the proofs under way; ``False`` when there was no number."""

    @abstractmethod
    async def start(self, proof: PhoneProof) -> None:
        """Store it and end the user's earlier proofs."""

    @abstractmethod
    async def refer(self, proof_id: PhoneProofId, reference: str) -> None:
        """Note what the provider calls it."""

    @abstractmethod
    async def take_attempt(self, proof_id: PhoneProofId, *, session_id: UUID | None, at: datetime) -> PhoneProof | None:
        """Count one more attempt and return the proof; ``None`` unless it `is_open` for this session.

        Counts exactly: however many call at once, no more than the limit get it. Nothing is known before the unit has ended well.
        """

    @abstractmethod
    async def close(self, proof_id: PhoneProofId, *, at: datetime) -> bool:
        """End it; ``False`` when it was ended or has expired. Of concurrent callers one wins."""


class PhoneUnitOfWork(Protocol):
    __slots__ = ()

    @property
    @abstractmethod
    def accounts(self) -> AccountRepository: ...

    @property
    @abstractmethod
    def phones(self) -> PhoneRepository: ...

    @abstractmethod
    def announce(self, *events: DomainEvent) -> None: ...


class SendLedger(Protocol):
    """What codes have cost, by day and by block of numbers, and how many of them ended in a right code.

    Holds neither numbers nor users. Each call is a transaction of its own: nothing is ever sent that was not counted before.
    """

    __slots__ = ()

    @abstractmethod
    async def reserve(self, planned: PlannedSend, limits: SpendLimits) -> None:
        """Count the send, exactly, or raise `PhoneUnavailable` (see `refusal_of`); closes a block that looks like an attack."""

    @abstractmethod
    async def cancel(self, send_id: PhoneSendId) -> None:
        """Uncount a send that the provider certainly did not make. Once more does nothing."""

    @abstractmethod
    async def accepted(self, send_id: PhoneSendId, reference: str) -> None:
        """Note that the provider took it, and what it calls the message."""

    @abstractmethod
    async def converted(self, send_id: PhoneSendId, *, at: datetime) -> None:
        """Note that the right code came back."""

    @abstractmethod
    async def record(self, reference: str, state: DeliveryState) -> bool:
        """Note how far a message got; ``False`` for one that is unknown. Reports may come in any order and more than once."""

    @abstractmethod
    async def set_stopped(self, *, is_stopped: bool) -> None:
        """The switch that stops every send, by every process."""

    @abstractmethod
    async def status(self, *, at: datetime) -> SpendStatus:
        """Return the figures of the day that ``at`` lies in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneMessage:
    """A code to send. ``code`` is ``None`` when the gateway keeps codes itself."""

    number: PhoneNumber
    channel: PhoneChannel
    code: str | None = field(repr=False)
    locale: str


class PhoneGateway(Protocol):
    """Sends codes. One that `keeps_codes` makes and checks them too."""

    __slots__ = ()

    @property
    @abstractmethod
    def keeps_codes(self) -> bool: ...

    @abstractmethod
    async def send(self, message: PhoneMessage) -> str:
        """Return what the provider calls the message.

        Raises `PhoneRefused` for a number that the provider cannot reach, `PhoneUnavailable` when it certainly sent nothing, and
        `Unavailable` when nobody knows whether it did.
        """

    @abstractmethod
    async def check(self, reference: str, number: PhoneNumber, code: str) -> bool:
        """Whether ``code`` is the one that was sent. Raises `Unavailable`. For gateways that keep codes."""


class _Nobody(PhoneGateway):
    __slots__ = ()

    @property
    def keeps_codes(self) -> bool:
        return False

    async def send(self, message: PhoneMessage) -> str:
        raise PhoneUnavailable("codes by phone are switched off here")

    async def check(self, reference: str, number: PhoneNumber, code: str) -> bool:
        return False


NO_GATEWAY: Final[PhoneGateway] = _Nobody()
"""Where codes by phone are switched off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    reference: str
    state: DeliveryState


class DeliveryReports(Protocol):
    """Reads what a provider reports about messages, and whether it is the provider who reports it."""

    __slots__ = ()

    @abstractmethod
    def read(self, *, url: str, form: Mapping[str, str], signature: str) -> DeliveryReport | None:
        """Return the report; ``None`` for one about a state that nobody needs to know.

        ``url`` is the public address that was called. Raises `CredentialRefused` for a signature that does not hold.
        """
