"""Values that several schemas share. Decimals and times travel as strings with a pattern or a format."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import Meta

from entrypoints.http.pages import PageQuery
from tradingcore.kernel.errors import FieldError, InvalidInput
from tradingcore.kernel.market import SeriesKey, SymbolCode, Timeframe, symbol_code

SYMBOL_PATTERN: Final = r"^[A-Z0-9][A-Z0-9.\-]{0,15}(/[A-Z0-9]{2,10})?$"
DECIMAL_PATTERN: Final = r"^-?[0-9]+(\.[0-9]+)?$"

SymbolText: TypeAlias = Annotated[str, Meta(pattern=SYMBOL_PATTERN)]
Time: TypeAlias = Annotated[datetime, Meta(tz=True)]

# Of answers. What they promise is in the document and held by tests; a stored row is never refused on its way out.
DecimalText: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": DECIMAL_PATTERN})]
TimeText: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
IdText: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
HashText: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": "^[0-9a-f]{64}$"})]
TraceText: TypeAlias = Annotated[str, Meta(extra_json_schema={"pattern": "^[0-9a-f]{32}$"})]
Probability: TypeAlias = Annotated[float, Meta(extra_json_schema={"minimum": 0, "maximum": 1})]


class Response(msgspec.Struct):
    """What an answer is made of."""


class SeriesPageQuery(PageQuery, kw_only=True):
    """A list that may be narrowed to a symbol, a timeframe or both."""

    symbol: SymbolText | None = None
    timeframe: Timeframe | None = None

    def symbol_code(self) -> SymbolCode | None:
        return None if self.symbol is None else symbol_code(self.symbol)

    def series_key(self) -> SeriesKey | None:
        """Raises `InvalidInput` when only one half of it is given."""
        code = self.symbol_code()
        if code is None and self.timeframe is None:
            return None
        if code is None or self.timeframe is None:
            missing = "symbol" if code is None else "timeframe"
            detail = "symbol and timeframe go together"
            raise InvalidInput(detail, errors=(FieldError(f"/{missing}", "missing", detail),))
        return SeriesKey(code, self.timeframe)
