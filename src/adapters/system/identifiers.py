from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable
from uuid import UUID

from tradingcore.kernel.authz import TraceId
from tradingcore.kernel.ports import IdGenerator, SecretSource


def _uuid7_function() -> Callable[[], UUID]:
    if hasattr(uuid, "uuid7"):  # Python 3.14
        native: Callable[[], UUID] = uuid.uuid7
        return native
    from uuid_utils.compat import uuid7

    return uuid7


class Uuid7Generator(IdGenerator):
    __slots__ = ("_uuid7",)

    def __init__(self) -> None:
        self._uuid7 = _uuid7_function()

    def new_id(self) -> UUID:
        return self._uuid7()

    def new_trace_id(self) -> TraceId:
        return TraceId(secrets.token_hex(16))


class OsSecretSource(SecretSource):
    __slots__ = ()

    def token(self, size: int) -> bytes:
        return secrets.token_bytes(size)
