from tradingcore.kernel.errors import InvalidInput, NotFound


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
