"""When a market trades, and which candles are missing.

A candle is *expected* when all of these hold:

1. Its calendar is open: always for 24/7; Sunday 17:00 to Friday 17:00 New York time for the fx week; the same from 18:00 and with a
   break from 17:00 to 18:00 every day for the metal week; 09:30 to 16:00 New York time on weekdays for US equities. A candle
   counts when at least a quarter of it is open. Daily candles carry the session date; a weekly candle is expected every week.
2. No holiday stands against it (`holidays`). US equities rest on exchange holidays and after 13:00 on early closes; metals rest
   on Good Friday and after 12:00 on exchange holidays and early closes; fx and metals rest from 12:00 on 24 and 31 December until
   08:00 on 26 December and 2 January.
3. The series itself says so: where its slot of the week was passed at least four times, at least half of them held a candle.
   Summer and winter time are counted apart, since a market that follows New York moves by an hour in UTC.
4. It is not within an hour of the moment when the market opens after a closure or closes before one: brokers come late and
   leave early.

24/7 has no exceptions: there only rule 1 counts, and it is exact.
"""

from tradingcore.trading.sessions.calendar import Session, session_of, sessions_between
from tradingcore.trading.sessions.expected import Gap, Sessions
from tradingcore.trading.sessions.gaps import GapFinder, GapReport
from tradingcore.trading.sessions.template import SessionTemplate

__all__ = ["Gap", "GapFinder", "GapReport", "Session", "SessionTemplate", "Sessions", "session_of", "sessions_between"]
