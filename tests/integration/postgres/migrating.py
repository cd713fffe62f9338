"""A program that migrates: ``python migrating.py HOST PORT DATABASE USER PASSWORD ROLES_FILE [FOLDER]``."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from adapters.postgres.address import DatabaseAddress
from adapters.postgres.migrate import Migrator
from adapters.postgres.roles import RolePasswords


def arguments(migrator_address: DatabaseAddress, roles_file: Path, *folder: Path) -> list[str]:
    address = migrator_address
    where = [address.host, str(address.port), address.database, address.user, address.password]
    return [sys.executable, __file__, *where, str(roles_file), *(str(one) for one in folder)]


if __name__ == "__main__":
    host, port, database, user, password, roles_file, *rest = sys.argv[1:]
    address = DatabaseAddress(host=host, port=int(port), database=database, user=user, password=password)
    folder = Path(rest[0]) if rest else None
    print(asyncio.run(Migrator(address, RolePasswords(Path(roles_file)), folder=folder).up()).current)
