"""API keys: security.md A15."""

from __future__ import annotations

import hmac
import string
import zlib
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.joserfc.access_tokens import JoserfcAccessTokens
from adapters.joserfc.signing_keys import fixed_signing_ring
from adapters.memory.auth.keys import MemoryApiKeyLookup, MemoryAuthUnits
from adapters.memory.auth.sessions import MemorySessionLookup
from adapters.memory.database import MemoryDatabase
from tradingcore.auth.errors import ApiKeyNotFound, CredentialRefused
from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.model.api_key import LONGEST_LIFETIME, NEVER_BY_KEY, compose_token, parse_token
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.auth.use_cases.authenticate import (
    AuthenticateBearer,
    AuthenticateBearerCommand,
    Credentials,
    RecheckCredential,
    RecheckCredentialCommand,
)
from tradingcore.auth.use_cases.manage_api_keys import (
    CreateApiKey,
    CreateApiKeyCommand,
    CreatedApiKey,
    ListApiKeys,
    ListApiKeysCommand,
    RevokeApiKey,
    RevokeApiKeyCommand,
)
from tradingcore.kernel.authz import ROLE_PERMISSIONS, Actor, Permission, Plan, Role, TraceId
from tradingcore.kernel.errors import InvalidInput, PermissionDenied, Unauthenticated
from tradingcore.testing.builders import an_actor, an_id
from tradingcore.testing.fakes import FakeClock, FakeSecrets, SequentialIds

NOBODY = Actor.anonymous(TraceId("a" * 32))


@dataclass
class Door:
    clock: FakeClock = field(default_factory=FakeClock)
    secrets: FakeSecrets = field(default_factory=FakeSecrets)

    def __post_init__(self) -> None:
        self.database = MemoryDatabase(self.clock)
        units, ids, lookup = MemoryAuthUnits(self.database, SequentialIds()), SequentialIds(), MemoryApiKeyLookup(self.database)
        self.create_key = CreateApiKey(uow=units, clock=self.clock, ids=ids, secrets=self.secrets, environment="live")
        self.list_keys = ListApiKeys(uow=units)
        self.revoke_key = RevokeApiKey(uow=units, clock=self.clock)
        stored = Credentials(sessions=MemorySessionLookup(self.database), keys=lookup)
        self.authenticate = AuthenticateBearer(
            stored=stored,
            remembered=stored,
            access_tokens=JoserfcAccessTokens(fixed_signing_ring(), issuer="test", audience="test"),
            policy=FactorPolicy(),
            clock=self.clock,
        )
        self.recheck = RecheckCredential(stored=stored, remembered=stored, clock=self.clock)

    async def key(self, **overrides: Any) -> CreatedApiKey:
        fields: dict[str, Any] = {"name": "my laptop", "role": Role.TRADER}
        return await self.create_key(an_actor(), CreateApiKeyCommand(**(fields | overrides)))

    async def holder(self, token: str) -> Actor:
        return await self.authenticate(NOBODY, AuthenticateBearerCommand(token=token))


async def test_key_speaks_for_its_service_user_on_the_callers_trace() -> None:
    door = Door()
    created = await door.key()
    actor = await door.holder(created.token)
    assert (actor.user_id, actor.credential_id, actor.name) == (created.key.user.id, created.key.id, "my laptop")
    assert (actor.roles, actor.plan, actor.trace_id) == (frozenset({Role.TRADER}), Plan.PRO, NOBODY.trace_id)
    assert actor.permissions == ROLE_PERMISSIONS[Role.TRADER] - NEVER_BY_KEY


async def test_secret_is_in_the_token_and_nowhere_else() -> None:
    door = Door()
    created = await door.key()
    secret = parse_token(created.token).secret
    assert len(secret) == 32
    assert created.token.startswith(f"tc_live_{created.key.id.hex}_")
    stored = repr(door.database.api_keys.rows)
    assert repr(secret)[2:-1] not in stored
    assert created.token.split("_", 3)[3][:43] not in stored


@pytest.mark.parametrize("position", range(len(compose_token("live", ApiKeyId(UUID(int=0)), bytes(32)))))
async def test_token_changed_at_any_position_is_refused(position: int) -> None:
    door = Door()
    token = (await door.key()).token
    for letter in "A0z_-" + chr(ord(token[position]) ^ 1):
        if letter != token[position]:
            with pytest.raises(CredentialRefused, match=r"^the credential is not valid, or no longer is: refresh the session, "):
                await door.holder(token[:position] + letter + token[position + 1 :])


async def test_secret_forged_with_a_right_checksum_is_refused() -> None:
    door = Door()
    token = (await door.key()).token
    body = token[:-8]
    for position in range(len("tc_live_"), len(body)):
        for letter in "0Bf_":
            forged = body[:position] + letter + body[position + 1 :]
            if forged != body:
                with pytest.raises(CredentialRefused):
                    await door.holder(f"{forged}{zlib.crc32(forged.encode()):08x}")


async def test_key_has_one_spelling_only() -> None:
    door = Door()
    token = (await door.key()).token
    body, alphabet = token[:-8], string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    # Six bits a letter: the last one carries two that belong to no byte.
    others = [alphabet[alphabet.index(body[-1]) ^ bits] for bits in (1, 2, 3)]
    for letter in others:
        spelling = body[:-1] + letter
        with pytest.raises(CredentialRefused):
            await door.holder(f"{spelling}{zlib.crc32(spelling.encode()):08x}")


@settings(deadline=None)
@given(token=st.text(max_size=200) | st.from_regex(r"tc_live_[0-9a-f]{32}_[A-Za-z0-9_-]{43}[0-9a-f]{8}\n?", fullmatch=True))
def test_anything_else_is_refused_and_nothing_breaks(token: str) -> None:
    try:
        presented = parse_token(token)
    except CredentialRefused:
        return
    assert compose_token("live", presented.id, presented.secret) == token


async def test_every_reason_of_a_refusal_looks_the_same() -> None:
    door = Door()
    created, unknown = await door.key(), await Door(secrets=FakeSecrets("other")).key()
    revoked = await door.key()
    await door.revoke_key(an_actor(), RevokeApiKeyCommand(key_id=revoked.key.id))
    expired = await door.key(lifetime=timedelta(days=1))
    wrong = compose_token("live", created.key.id, b"x" * 32)
    missing = compose_token("live", ApiKeyId(an_id()), b"x" * 32)
    door.clock.advance(timedelta(days=1))
    said = set()
    for token in (wrong, missing, revoked.token, expired.token, unknown.token, "", "tc_live_", created.token + "0"):
        with pytest.raises(CredentialRefused) as refusal:
            await door.holder(token)
        said.add(str(refusal.value))
    assert len(said) == 1


async def test_secrets_are_compared_in_constant_time_before_anything_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest

    def watching(left: bytes, right: bytes) -> bool:
        compared.append((left, right))
        return real(left, right)

    door = Door()
    live, revoked = await door.key(), await door.key()
    await door.revoke_key(an_actor(), RevokeApiKeyCommand(key_id=revoked.key.id))
    monkeypatch.setattr("tradingcore.auth.model.api_key.hmac.compare_digest", watching)
    await door.holder(live.token)
    for token in (revoked.token, compose_token("live", live.key.id, b"x" * 32)):
        with pytest.raises(CredentialRefused):
            await door.holder(token)
    assert [len(left) for left, _ in compared] == [32, 32, 32]


async def test_key_ends_at_its_expiry_to_the_second() -> None:
    door = Door()
    created = await door.key()
    door.clock.advance(timedelta(days=90) - timedelta(microseconds=1))
    assert (await door.holder(created.token)).credential_id == created.key.id
    door.clock.advance(timedelta(microseconds=1))
    with pytest.raises(CredentialRefused):
        await door.holder(created.token)


async def test_revoking_acts_at_once_and_twice_keeps_the_first_time() -> None:
    door = Door()
    created = await door.key()
    first = await door.revoke_key(an_actor(), RevokeApiKeyCommand(key_id=created.key.id))
    door.clock.advance(timedelta(hours=1))
    again = await door.revoke_key(an_actor(), RevokeApiKeyCommand(key_id=created.key.id))
    assert again == first
    with pytest.raises(CredentialRefused):
        await door.holder(created.token)
    with pytest.raises(ApiKeyNotFound):
        await door.revoke_key(an_actor(), RevokeApiKeyCommand(key_id=ApiKeyId(an_id())))


async def test_scopes_narrow_and_never_widen() -> None:
    door = Door()
    narrow = await door.key(scopes=frozenset({Permission.SIGNALS_READ, Permission.MODELS_MANAGE}))
    assert (await door.holder(narrow.token)).permissions == {Permission.SIGNALS_READ}
    powerless = await door.key(scopes=frozenset())
    assert (await door.holder(powerless.token)).permissions == frozenset()
    free = await door.key(plan=Plan.FREE)
    held = (await door.holder(free.token)).permissions
    assert Permission.MARKET_READ in held
    assert Permission.SIGNALS_READ not in held


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("scopes", [None, frozenset(Permission)])
async def test_no_key_can_make_keys_or_act_as_the_platform(role: Role, scopes: frozenset[Permission] | None) -> None:
    door = Door()
    actor = await door.holder((await door.key(role=role, scopes=scopes)).token)
    assert not actor.permissions & NEVER_BY_KEY
    with pytest.raises((PermissionDenied, Unauthenticated)):
        await door.create_key(actor, CreateApiKeyCommand(name="another", role=Role.SUPERADMIN))
    with pytest.raises((PermissionDenied, Unauthenticated)):
        await door.list_keys(actor, ListApiKeysCommand())


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"lifetime": timedelta(0)}, "from 1 to 365 days"),
        ({"lifetime": timedelta(days=-1)}, "from 1 to 365 days"),
        ({"lifetime": LONGEST_LIFETIME + timedelta(seconds=1)}, "from 1 to 365 days"),
        ({"name": "   "}, "1 to 80 printable"),
        ({"name": "x" * 81}, "1 to 80 printable"),
        ({"name": "two\nlines"}, "1 to 80 printable"),
        ({"name": "\x1b[31mred"}, "1 to 80 printable"),
    ],
)
async def test_key_that_would_be_odd_is_not_made(overrides: dict[str, Any], sentence: str) -> None:
    door = Door()
    with pytest.raises(InvalidInput, match=sentence):
        await door.key(**overrides)
    assert await door.list_keys(an_actor(), ListApiKeysCommand()) == []


async def test_credential_of_a_long_connection_is_looked_at_again() -> None:
    door = Door()
    created, other = await door.key(lifetime=timedelta(days=1)), await door.key()
    holder, second = await door.holder(created.token), await door.holder(other.token)
    assert await door.recheck(NOBODY, RecheckCredentialCommand(holder=holder))
    await door.revoke_key(an_actor(), RevokeApiKeyCommand(key_id=other.key.id))
    assert not await door.recheck(NOBODY, RecheckCredentialCommand(holder=second))
    door.clock.advance(timedelta(days=1))
    assert not await door.recheck(NOBODY, RecheckCredentialCommand(holder=holder))
    assert not await door.recheck(NOBODY, RecheckCredentialCommand(holder=NOBODY))
    assert not await door.recheck(NOBODY, RecheckCredentialCommand(holder=replace(holder, credential_id=an_id())))
