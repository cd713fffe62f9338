from tradingcore.kernel.errors import Conflict, InvalidInput, NotFound, RuleViolation, Unavailable


class SymbolNotFound(NotFound):
    code = "trading.symbol_not_found"
    title = "Symbol not found"


class SignalNotFound(NotFound):
    code = "trading.signal_not_found"
    title = "Signal not found"


class CandlesNotFound(NotFound):
    code = "trading.candles_not_found"
    title = "No candles"


class SymbolExists(Conflict):
    code = "trading.symbol_exists"
    title = "Symbol exists"


class CandleConflict(Conflict):
    """A different candle is stored for the same open time."""

    code = "trading.candle_conflict"
    title = "Different candle stored"


class CandleFileUnreadable(InvalidInput):
    """The file as a whole cannot be read as candles: wrong columns, truncated, empty, another timeframe."""

    code = "trading.candle_file_unreadable"
    title = "Candle file unreadable"


class CandleFileNotWritable(Unavailable):
    """The file cannot be written: no permission, no such folder, a full disk. Nothing of it is left behind."""

    code = "trading.candle_file_not_writable"
    title = "Candle file not writable"


class SignalNotActive(RuleViolation):
    code = "trading.signal_not_active"
    title = "Signal not active"
