from tradingcore.kernel.errors import InvalidInput, NotFound, RuleViolation


class UnknownTopic(InvalidInput):
    code = "notifications.unknown_topic"
    title = "Unknown topic"


class HistoryGone(NotFound):
    """The log no longer holds what came after the position: fetch by HTTP and subscribe afresh. ``reason`` is for the client."""

    code = "notifications.history_gone"
    title = "History gone"

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class MailRefused(RuleViolation):
    """The mail server will never take this message: no such mailbox, say. Sending it again changes nothing."""

    code = "notifications.mail_refused"
    title = "Mail refused"
