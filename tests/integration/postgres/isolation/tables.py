"""What may be seen and done of each table, written down a second time: in Python, from the specification, not from the policies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from adapters.postgres.roles import DatabaseRole
from tests.integration.postgres.isolation.world import EARLIER, LATER, NOW, Build, Caller, Row, Rule, World

API, WORKER = DatabaseRole.API, DatabaseRole.WORKER


def never(_row: Row, _caller: Caller, _world: World) -> bool:
    return False


def platform(_row: Row, caller: Caller, _world: World) -> bool:
    return caller.may("system")


def mine(column: str = "user_id") -> Rule:
    return lambda row, caller, _: caller.user_id is not None and row[column] == caller.user_id


def may(permission: str) -> Rule:
    return lambda _row, caller, _world: caller.may(permission)


def in_hand(column: str, name: str) -> Rule:
    return lambda row, caller, _: name in caller.hand and row[column] == caller.hand[name]


def among(column: str, rows: str, of: str, rule: Rule) -> Rule:
    """``column`` is the value of column ``of`` in a row of the table ``rows`` for which ``rule`` holds."""
    return lambda row, caller, world: row[column] in {other[of] for other in world.of(rows) if rule(other, caller, world)}


def either(*rules: Rule) -> Rule:
    return lambda row, caller, world: any(rule(row, caller, world) for rule in rules)


def both(*rules: Rule) -> Rule:
    return lambda row, caller, world: all(rule(row, caller, world) for rule in rules)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """``update`` is asked of the row as it is, ``becomes`` of the row as it will be."""

    read: Rule = never
    insert: Rule = never
    update: Rule = never
    becomes: Rule = never
    delete: Rule = never


def all_by(rule: Rule) -> Rules:
    return Rules(read=rule, insert=rule, update=rule, becomes=rule, delete=rule)


def own_rows(read: Rule | None = None, **rules: Rule) -> Rules:
    """What most tables say: the own rows, and those that are named."""
    own = mine()
    defaults = {"insert": own, "update": own, "becomes": own, "delete": own} | rules
    return Rules(read=read or own, **defaults)


Changes = Callable[[World, Caller], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Owned:
    """A table under row-level security.

    ``touch`` changes a row without a trigger or a key noticing; ``changes`` are further updates worth trying, beside giving the
    row to somebody else. ``by_server`` are columns that only the server fills in.
    """

    key: tuple[str, ...] = ("id",)
    owner: str = "user_id"
    build: Build
    touch: Mapping[str, Any]
    api: Rules
    worker: Rules = field(default_factory=lambda: all_by(platform))
    most_of_a_user: int = 3
    by_server: tuple[str, ...] = ()
    changes: Changes = lambda _world, _caller: ()

    def rules(self, role: DatabaseRole) -> Rules:
        return self.api if role == API else self.worker


def _account(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    return {
        "id": user,
        "version": 1,
        "kind": "person",
        "status": "active",
        "email_sealed": b"sealed",
        "email_index": world.bytes32(),
        "roles": ["investor"],
        "plan": "free",
        "locale": "en",
        "time_zone": "UTC",
        "rights_version": 1,
        "created_at": NOW,
        "verified_at": NOW,
    }


def _data_key(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    return {"id": world.uuid(), "user_id": user, "wrapped": b"wrapped", "key_version": "1"}


def _session(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    return {
        "id": world.uuid(),
        "version": 1,
        "user_id": user,
        **dict.fromkeys(("created_at", "last_seen_at", "authenticated_at"), NOW),
        **dict.fromkeys(("expires_at", "absolute_at"), LATER),
        "methods": ["password"],
        "assurance": 1,
        "device_label": "a browser",
        "network": b"network",
    }


def _refresh_token(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    session = world.one("public.sessions", user_id=user)
    token = {"token_hash": world.bytes32(), "session_id": session["id"] if session else world.uuid(), "user_id": user}
    # Used, so that a session may have several.
    return {**token, "issued_at": NOW, "expires_at": LATER, "used_at": NOW, "successor_sealed": b"sealed"}


def _one_time_token(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    return {"token_hash": world.bytes32(), "purpose": "verify", "user_id": user, "issued_at": NOW, "expires_at": LATER}


def _rights_change(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    return {"sequence": world.dice.getrandbits(40), "user_id": user, "changed_at": NOW}


def _audit_event(world: World, user: UUID | None, caller: Caller | None) -> dict[str, Any]:
    trace_id = caller.actor.trace_id if caller and world.dice.random() < 0.5 else world.hex32()
    return {"id": world.uuid(), "type": "auth.x", "user_id": user, "actor_name": "x", "trace_id": trace_id, "facts": {}}


def _api_key(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    return {
        "id": world.uuid(),
        "version": 1,
        "user_id": user,
        "name": "a bot",
        "secret_hash": world.bytes32(),
        "created_at": NOW,
        "expires_at": LATER,
        "networks": [],
    }


def _ticket(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    return {"ticket_hash": world.bytes32(), "user_id": user, "holder": {}, "expires_at": LATER}


def _counter(world: World, _: UUID | None, caller: Caller | None) -> dict[str, Any]:
    keys = caller.hand.get("throttle_keys") if caller else None
    return {"key": keys[0] if keys else world.bytes32(), "hits": [1], "expires_at": world.dice.choice((LATER, EARLIER))}


def _identity(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    row = {"id": world.uuid(), "version": 1, "user_id": user, "provider": "github", "subject_index": world.bytes32()}
    return {**row, "subject_sealed": b"sealed", "email_trust": "none", "linked_at": NOW}


def _oauth_flow(world: World, user: UUID | None, caller: Caller | None) -> dict[str, Any]:
    is_linking = world.dice.random() < 0.5
    return {
        "key_hash": (caller.hand.get("oauth_key") if caller else None) or world.bytes32(),
        "browser_hash": world.bytes32(),
        "stage": "asked",
        "provider": "github",
        "purpose": "link" if is_linking else "sign_in",
        "next_path": "/",
        "user_id": user if is_linking else None,
        "expires_at": LATER,
    }


def _authenticator(_: World, user: UUID | None, __: Caller | None) -> dict[str, Any]:
    return {"user_id": user, "secret_sealed": b"sealed", "created_at": NOW, "last_step": 1}


def _backup_code(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    taken = {row["number"] for row in world.of("public.backup_codes") if row["user_id"] == user}
    number = next(number for number in range(1, 11) if number not in taken)
    return {"user_id": user, "code_hash": world.bytes32(), "number": number, "created_at": NOW}


def _challenge(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    row = {"id": world.uuid(), "token_hash": world.bytes32(), "user_id": user, "purpose": "sign_in", "factors": ["totp"]}
    return {**row, "methods": ["password"], "created_at": NOW, "expires_at": LATER, "attempts": 0}


def _trusted_device(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    row = {"id": world.uuid(), "token_hash": world.bytes32(), "user_id": user, "label": "a browser"}
    return {**row, "created_at": NOW, "expires_at": LATER}


def _passkey(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    row = {"id": world.uuid(), "user_id": user, "credential_id": world.bytes32(), "public_key": b"key", "sign_count": 0}
    return {**row, "label": "a phone", "transports": [], "is_synced": True, "created_at": NOW}


def _spent_token(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    return {"user_id": user, "token_hash": world.bytes32(), "expires_at": LATER}


def _phone(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    number = {"number_sealed": b"sealed", "number_index": world.bytes32()}
    return {"user_id": user, **number, "channel": "sms", "confirmed_at": NOW}


def _phone_proof(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    row = {"id": world.uuid(), "user_id": user, "number_sealed": b"sealed", "channel": "sms", "send_id": world.uuid()}
    return {**row, "created_at": NOW, "expires_at": LATER, "attempts": 0}


def _proposal(world: World, user: UUID | None, _: Caller | None) -> dict[str, Any]:
    row = {"id": world.uuid(), "version": 1, "act": "x", "subject_id": world.uuid(), "facts": {}, "reason": "because"}
    return {**row, "proposed_by": user, "proposed_at": NOW, "expires_at": LATER}


MANAGED = either(mine(), may("users:manage"))
THIS_CALL: Rule = lambda row, caller, _: row["trace_id"] == caller.actor.trace_id  # noqa: E731 - one of many rules
COUNTED: Rule = lambda row, caller, _: row["key"] in caller.hand.get("throttle_keys", ())  # noqa: E731 - likewise
COUNTED_OR_OLD = either(COUNTED, lambda row, _caller, _world: row["expires_at"] < NOW)
COUNTERS = Rules(read=COUNTED_OR_OLD, insert=COUNTED, update=COUNTED_OR_OLD, becomes=COUNTED, delete=COUNTED_OR_OLD)
THIS_FLOW = in_hand("key_hash", "oauth_key")
FLOWS = Rules(
    read=THIS_FLOW,
    insert=both(THIS_FLOW, either(mine(), lambda row, _caller, _world: row["purpose"] == "sign_in")),
    delete=THIS_FLOW,
)
BY_ADDRESS = in_hand("email_index", "email_index")
ACCOUNT = either(mine("id"), may("users:manage"))
KEY = either(mine(), may("keys:manage"))
PROPOSAL = either(mine("proposed_by"), may("roles:manage"))

# In an order in which they can be filled.
OWNED: Mapping[str, Owned] = {
    "public.user_accounts": Owned(
        owner="id",
        build=_account,
        touch={"version": 7},
        api=Rules(
            read=either(ACCOUNT, BY_ADDRESS, among("id", "public.api_keys", "user_id", in_hand("id", "api_key_id"))),
            insert=mine("id"),
            update=ACCOUNT,
            becomes=ACCOUNT,
        ),
        most_of_a_user=1,
    ),
    "public.data_keys": Owned(
        build=_data_key,
        touch={"key_version": "7"},
        api=own_rows(either(MANAGED, among("user_id", "public.user_accounts", "id", BY_ADDRESS)), update=never, becomes=never),
        most_of_a_user=1,
    ),
    "public.sessions": Owned(
        build=_session,
        touch={"version": 7},
        api=own_rows(
            either(MANAGED, among("id", "public.refresh_tokens", "session_id", in_hand("token_hash", "refresh_hash"))),
            update=MANAGED,
            becomes=MANAGED,
            delete=never,
        ),
    ),
    "public.refresh_tokens": Owned(
        key=("token_hash",),
        build=_refresh_token,
        touch={"revoked_at": NOW},
        api=own_rows(either(MANAGED, in_hand("token_hash", "refresh_hash")), update=MANAGED, becomes=MANAGED, delete=never),
    ),
    "public.one_time_tokens": Owned(
        key=("token_hash",),
        build=_one_time_token,
        touch={"used_at": NOW},
        api=own_rows(either(mine(), in_hand("token_hash", "one_time_hash")), delete=never),
    ),
    "public.rights_changes": Owned(
        key=("sequence",),
        build=_rights_change,
        touch={"changed_at": NOW},
        api=Rules(read=platform, insert=either(MANAGED, may("keys:manage"))),
        by_server=("sequence",),
    ),
    "audit.events": Owned(
        build=_audit_event,
        touch={"actor_name": "y"},
        api=Rules(read=either(mine(), may("audit:read")), insert=THIS_CALL),
        worker=Rules(read=platform, insert=THIS_CALL),
    ),
    "public.api_keys": Owned(
        build=_api_key,
        touch={"version": 7},
        api=Rules(read=either(KEY, in_hand("id", "api_key_id")), insert=mine(), update=KEY, becomes=KEY),
    ),
    "public.stream_tickets": Owned(
        key=("ticket_hash",),
        build=_ticket,
        touch={"expires_at": NOW},
        api=Rules(
            read=either(mine(), in_hand("ticket_hash", "ticket_hash")),
            insert=mine(),
            delete=either(mine(), in_hand("ticket_hash", "ticket_hash")),
        ),
        worker=Rules(),
    ),
    "public.throttle_counters": Owned(
        key=("key",),
        owner="key",
        build=_counter,
        touch={"hits": [7]},
        api=COUNTERS,
        worker=COUNTERS,
        changes=lambda world, _: [{"key": world.bytes32()}],
    ),
    "public.identities": Owned(
        build=_identity,
        touch={"version": 7},
        api=own_rows(either(mine(), in_hand("subject_index", "identity_index")), update=never, becomes=never),
    ),
    "public.oauth_flows": Owned(
        key=("key_hash",),
        build=_oauth_flow,
        touch={"next_path": "/7"},
        api=FLOWS,
    ),
    "public.totp_factors": Owned(key=("user_id",), build=_authenticator, touch={"last_step": 7}, api=own_rows(), most_of_a_user=1),
    "public.backup_codes": Owned(key=("user_id", "code_hash"), build=_backup_code, touch={"used_at": NOW}, api=own_rows()),
    "public.challenges": Owned(
        build=_challenge, touch={"closed_at": NOW}, api=own_rows(either(mine(), in_hand("token_hash", "challenge_hash")))
    ),
    "public.trusted_devices": Owned(
        build=_trusted_device, touch={"revoked_at": NOW}, api=own_rows(either(mine(), in_hand("token_hash", "device_hash")))
    ),
    "public.passkeys": Owned(
        build=_passkey, touch={"sign_count": 7}, api=own_rows(either(mine(), in_hand("credential_id", "passkey_credential")))
    ),
    "public.spent_passkey_tokens": Owned(
        key=("user_id", "token_hash"), build=_spent_token, touch={"expires_at": NOW}, api=own_rows()
    ),
    "public.phones": Owned(key=("user_id",), build=_phone, touch={"number_sealed": b"again"}, api=own_rows(), most_of_a_user=1),
    "public.phone_proofs": Owned(build=_phone_proof, touch={"closed_at": NOW}, api=own_rows()),
    "public.proposals": Owned(
        owner="proposed_by",
        build=_proposal,
        touch={"version": 7},
        api=Rules(read=PROPOSAL, insert=mine("proposed_by"), update=PROPOSAL, becomes=PROPOSAL),
    ),
}

HANDS: Mapping[str, tuple[str, str]] = {
    "api_key_id": ("public.api_keys", "id"),
    "ticket_hash": ("public.stream_tickets", "ticket_hash"),
    "email_index": ("public.user_accounts", "email_index"),
    "refresh_hash": ("public.refresh_tokens", "token_hash"),
    "one_time_hash": ("public.one_time_tokens", "token_hash"),
    "throttle_keys": ("public.throttle_counters", "key"),
    "identity_index": ("public.identities", "subject_index"),
    "oauth_key": ("public.oauth_flows", "key_hash"),
    "challenge_hash": ("public.challenges", "token_hash"),
    "device_hash": ("public.trusted_devices", "token_hash"),
    "passkey_credential": ("public.passkeys", "credential_id"),
}
"""By the name of the setting, the table and the column of what it names."""
