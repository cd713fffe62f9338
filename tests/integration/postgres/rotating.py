"""A program that rotates keys: ``python rotating.py HOST PORT DATABASE USER PASSWORD RING_FILE BATCH [USER_ID]``.

Says ``ready`` and then, after each batch, how many data keys are done. With a user's id it seals that user's data anew, again and
again.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from uuid import UUID

from adapters.cryptography.key_ring import KeyRingFile
from adapters.cryptography.sealing import AesGcmSealer
from adapters.postgres.address import DatabaseAddress
from adapters.postgres.auth.key_rotation import DataKeyRotation
from adapters.postgres.auth.keys import PostgresAuthUnits
from adapters.postgres.engine import EngineSettings, create_engine
from adapters.system.clock import SystemClock
from adapters.system.identifiers import Uuid7Generator
from tradingcore.auth.events import EVENTS
from tradingcore.kernel.authz import Actor, TraceId, UserId
from tradingcore.kernel.codec import EventCodec

INDEX_KEY = bytes(32)


def arguments(worker: DatabaseAddress, ring: Path, batch: int, *user_id: UserId) -> list[str]:
    where = [worker.host, str(worker.port), worker.database, worker.user, worker.password]
    return [sys.executable, __file__, *where, str(ring), str(batch), *map(str, user_id)]


def sealer_on(ring: Path) -> AesGcmSealer:
    return AesGcmSealer(KeyRingFile(ring), index_key=INDEX_KEY)


async def rotate(address: DatabaseAddress, ring: Path, batch: int, user_id: UserId | None) -> None:
    engine = create_engine(address, EngineSettings(application="rotating"))
    sealer = sealer_on(ring)
    units = PostgresAuthUnits(engine, EventCodec(EVENTS), Uuid7Generator(), sealer)
    rotation = DataKeyRotation(units, sealer, SystemClock())
    actor = Actor.operator(TraceId("0" * 32))
    print("ready", flush=True)
    if user_id is None:
        async for progress in rotation.rewrap(actor, batch=batch):
            print(progress.done, flush=True)
    while user_id is not None:
        await rotation.reseal(actor, user_id)
    await engine.dispose()


if __name__ == "__main__":
    host, port, database, user, password, ring, batch, *rest = sys.argv[1:]
    address = DatabaseAddress(host=host, port=int(port), database=database, user=user, password=password)
    asyncio.run(rotate(address, Path(ring), int(batch), UserId(UUID(rest[0])) if rest else None))
