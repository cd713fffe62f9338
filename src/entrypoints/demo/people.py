"""An account for every role, and proof that each can sign in: over HTTP, staff with a second factor."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from adapters.system.private_file import PrivateFile
from entrypoints.cli.exits import CommandFailed
from entrypoints.platform import Platform
from tradingcore.auth.model.email_address import EmailAddress
from tradingcore.auth.model.totp import code_of_step, step_at
from tradingcore.auth.queries import UserFilter
from tradingcore.auth.use_cases.create_user import CreateUserCommand
from tradingcore.auth.use_cases.manage_users import ResetUserFactorsCommand, SearchUsersCommand
from tradingcore.kernel.authz import Actor, Plan, Role
from tradingcore.kernel.permissions import STAFF

DOMAIN: Final = "demo.example"
FILE: Final = "people.json"
TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """``secret`` is that of the authenticator, for staff once they have set it up; ``last_step`` is when its last code was used."""

    role: Role
    email: str
    password: str
    secret: str | None = None
    last_step: int = 0

    async def code(self) -> tuple[str, Person]:
        """A code that was not used yet: each works once, so the next step may have to be waited for."""
        assert self.secret is not None, "only who has set up an authenticator has codes"
        while (step := step_at(datetime.now(UTC))) <= self.last_step:  # noqa: ASYNC110 - a clock gives no signal
            await asyncio.sleep(1.0)
        secret = base64.b32decode(self.secret + "=" * (-len(self.secret) % 8))
        return code_of_step(secret, step), replace(self, last_step=step)


async def invite(platform: Platform, actor: Actor) -> Sequence[Person]:
    """Make the accounts that are missing and return all of them. What signs them in is kept beside the demo's data."""
    known = _known(platform)
    people = []
    for role in Role:
        email = f"{role.value}@{DOMAIN}"
        where = UserFilter(email=EmailAddress.parse(email))
        found = await platform.container.search_users()(actor, SearchUsersCommand(where=where))
        person = known.get(email)
        if person is None or not found.items:
            person = Person(role=role, email=email, password=secrets.token_urlsafe(15))
            command = CreateUserCommand(email=email, password=person.password, roles=frozenset({role}), plan=Plan.PRO)
            await platform.container.create_user()(actor, command)
        elif person.secret is None:
            # A demo that was stopped halfway may have set up an authenticator that nobody knows.
            await platform.container.reset_user_factors()(actor, ResetUserFactorsCommand(user_id=found.items[0].id))
        people.append(person)
    keep(platform, people)
    return people


def keep(platform: Platform, people: Sequence[Person]) -> None:
    content = json.dumps([asdict(person) for person in people], indent=2)
    _file(platform).change(lambda _: content, lambda: content)


def _known(platform: Platform) -> Mapping[str, Person]:
    rows = json.loads(_file(platform).read(lambda: "[]"))
    return {row["email"]: Person(**{**row, "role": Role(row["role"])}) for row in rows}


def _file(platform: Platform) -> PrivateFile:
    return PrivateFile(platform.settings.data_dir / FILE)


async def sign_in(address: str, person: Person) -> Person:
    """Sign in as ``person``, and set up the authenticator that a role of staff needs. Raises `CommandFailed`."""
    client = _Client(address)
    answer = await client.post("/auth/sign-in", {"email": person.email, "password": person.password})
    if answer["status"] == "factor_required":
        code, person = await person.code()
        proof = {"challenge": answer["challenge"]["challenge"], "factor": "totp", "proof": code}
        answer = await client.post("/auth/challenges", proof)
    client.token = answer["tokens"]["access_token"]
    if person.role in STAFF and person.secret is None:
        enrolment = await client.post("/account/factors/totp")
        code, person = await replace(person, secret=enrolment["secret"]).code()
        await client.post("/account/factors/totp/confirmation", {"code": code})
    client.token = None  # a change of factors made it worthless; the refresh token is what ends a session
    await client.post("/auth/sign-out", {"refresh_token": answer["tokens"]["refresh_token"]})
    return person


class _Client:
    """Standard library only: what any program would do."""

    def __init__(self, address: str) -> None:
        self._base = f"{address}/api/v1"
        self.token: str | None = None

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return await asyncio.to_thread(self._post, path, body)

    def _post(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {self.token}"} if self.token else {})
        content = b"" if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self._base}{path}", content, headers, method="POST")  # noqa: S310 - our own API
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 - likewise
                text = response.read()
        except urllib.error.HTTPError as error:
            raise CommandFailed(f"{path} was answered with {error.code}: {error.read().decode(errors='replace')[:300]}") from None
        return dict(json.loads(text)) if text else {}
