"""News of changed rights, as the tables themselves tell it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from adapters.memory.alarm import Alarm
from tradingcore.auth.model.account import UserAccount
from tradingcore.auth.model.api_key import ApiKey
from tradingcore.auth.model.session import Session
from tradingcore.auth.ports.sessions import RightsChange
from tradingcore.kernel.authz import UserId
from tradingcore.kernel.ports import Clock

REMEMBERED: Final = 10_000


class RightsLog:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changes: deque[tuple[datetime, RightsChange]] = deque(maxlen=REMEMBERED)
        self._last = 0
        self.alarm = Alarm()

    def account_changed(self, old: UserAccount, new: UserAccount) -> None:
        before = (old.rights_version, old.status, old.roles, old.plan)
        if before != (new.rights_version, new.status, new.roles, new.plan):
            self._note(new.id)

    def session_changed(self, old: Session, new: Session) -> None:
        before = (old.ended_at, old.authenticated_at, old.assurance)
        if before != (new.ended_at, new.authenticated_at, new.assurance):
            self._note(new.user_id)

    def key_changed(self, old: ApiKey, new: ApiKey) -> None:
        if old.revoked_at != new.revoked_at:
            self._note(new.user.id)

    def _note(self, user_id: UserId) -> None:
        self._last += 1
        self._changes.append((self._clock.now(), RightsChange(sequence=self._last, user_id=user_id)))
        self.alarm.ring()

    def since(self, within: timedelta) -> Sequence[RightsChange]:
        start = self._clock.now() - within
        return [change for at, change in self._changes if at > start]

    def forget(self, older_than: timedelta) -> int:
        kept, count = self.since(older_than), len(self._changes)
        while len(self._changes) > len(kept):
            self._changes.popleft()
        return count - len(kept)
