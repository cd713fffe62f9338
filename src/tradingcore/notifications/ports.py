from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from tradingcore.notifications.ids import MailId
from tradingcore.notifications.model.mail import KeptMail, MailMessage, MailOrder
from tradingcore.notifications.model.stream import StreamEntry, StreamMessage, StreamPosition, Topic


class StreamLog(Protocol):
    """The ordered record of what was published, kept for a while (5 minutes at least) so that readers can resume.

    Offsets of a topic are assigned in commit order without gaps. Entries become visible in offset order. Every method raises
    `Unavailable` when the log cannot be reached.
    """

    __slots__ = ()

    @abstractmethod
    async def publish(self, messages: Sequence[StreamMessage]) -> Sequence[StreamPosition]:
        """Append all or nothing, and return the position of each.

        A known (topic, event id) is not appended again: its position is returned. Ids are known as long as their entries are kept.
        """

    @abstractmethod
    async def head(self, topic: Topic) -> StreamPosition:
        """Return the position of the newest entry; offset 0, in the epoch of the entries to come, before the first."""

    @abstractmethod
    async def read(self, topic: Topic, *, after: StreamPosition, limit: int) -> Sequence[StreamEntry]:
        """Return entries after a position, oldest first. Raises `HistoryGone` for another epoch, or when some were trimmed."""

    @abstractmethod
    def follow(self) -> AbstractAsyncContextManager[AsyncIterator[StreamEntry]]:
        """Open a view of all topics: ``async with log.follow() as entries``.

        From the moment it is entered every entry published later is yielded, each topic in offset order. Entering and iterating
        raise `Unavailable` when the log is lost or the reader fell too far behind: then follow again and close gaps with `read`.
        """

    @abstractmethod
    async def trim(self) -> int:
        """Drop what is older than the log keeps and return how many entries went. The newest offset of a topic survives."""


class MailComposer(Protocol):
    """Writes mails: subject, text and HTML in the language of the order."""

    __slots__ = ()

    @abstractmethod
    def compose(self, order: MailOrder, *, mail_id: MailId) -> MailMessage:
        """Return the mail. Raises `InvalidInput`, naming the template, when a value that it needs is missing."""


class MailSender(Protocol):
    """Hands a mail over to whoever delivers it."""

    __slots__ = ()

    @abstractmethod
    async def send(self, message: MailMessage) -> None:
        """Return when the mail was taken over.

        At least once: a mail that is sent again carries the same Message-ID, made of its id, by which mailboxes know it.
        Raises `Unavailable` when it may be tried again later, and `MailRefused` when this mail will never be taken.
        """


class Mailbox(MailSender, Protocol):
    """A sender for development and tests: it delivers nothing and keeps the newest mails for a person to read."""

    __slots__ = ()

    @abstractmethod
    async def list_kept(self) -> Sequence[KeptMail]:
        """Return what is kept, newest first. A mail that was sent again is kept once."""
