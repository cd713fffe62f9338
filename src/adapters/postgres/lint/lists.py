"""What the checks let pass, each with its reason. A new entry is a decision about who can learn what: review it as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OWNER_COLUMNS: Final = frozenset({"user_id", "owner_id"})
"""Columns that say whose a row is. A table with one of them is never reference data."""

_MARKET: Final = "market data is the same for everybody"
_RELAY: Final = "closed to readers; the relay alone takes events out"
_STREAM: Final = "what was published; who may follow a topic is decided per subscription"

_BUDGET: Final = "what codes cost by block of numbers, without number or user; every process must see all of it"

REFERENCE_DATA: Final[Mapping[str, str]] = {
    "public.alembic_version": "the revision of the schema",
    "public.heartbeat": "one row that the readiness probe touches",
    "public.outbox": _RELAY,
    "public.inbox": "which handler has seen which event",
    "public.dead_letters": _RELAY,
    "public.stream_epoch": _STREAM,
    "public.stream_topics": _STREAM,
    "public.stream_entries": _STREAM,
    "public.phone_sends": _BUDGET,
    "public.phone_blocks": _BUDGET,
    "public.phone_switch": _BUDGET,
    "trading.symbols": _MARKET,
    "trading.candles": _MARKET,
    "trading.candle_staging": _MARKET,
    "trading.live_series": _MARKET,
    "trading.signals": "signals are published to whoever may read signals at all",
    "trading.decisions": "the reasons behind the signals",
    "ml.models": "models are the platform's own",
    "ml.model_versions": "models are the platform's own",
    "ml.aliases": "models are the platform's own",
    "ml.alias_history": "models are the platform's own",
    "ml.forecasts": "forecasts are made of market data alone",
}
"""Tables without row-level security."""

OPEN_POLICIES: Final[Mapping[str, str]] = {
    "auditor_reads on audit.events": "the auditor's role reads the whole trail, and can do nothing else",
}
"""Policies that say the same to everybody who has their role."""

DEFINER_FUNCTIONS: Final[Mapping[str, str]] = {
    "public.outbox_status()": "three numbers about the relay, nothing of an event",
}
"""Functions that run with the rights of their owner, by signature."""

_RANDOM: Final = "the hash of random bits: nobody can name one that is not their own"

GLOBAL_KEYS: Final[Mapping[str, str]] = {
    "stream_tickets_pkey": _RANDOM,
    "throttle_counters_pkey": "the keyed hash of what is counted: a counter is nobody's row",
    "challenges_token_hash_key": _RANDOM,
    "trusted_devices_token_hash_key": _RANDOM,
    "passkeys_credential_id_key": "the id of a credential is random, and is made by the authenticator that holds it",
    "one_time_tokens_pkey": _RANDOM,
    "refresh_tokens_pkey": _RANDOM,
    "refresh_tokens_live": "the session is the user's own: its foreign key carries the user",
    "oauth_flows_pkey": _RANDOM,
    "identities_subject_index_key": "one person at a provider is one account here; only the provider's word gives a subject",
    "user_accounts_address": "an address has one proven owner; use cases answer the same whether it is taken or not",
}
"""Unique keys of owned tables without the owner, by the index's name: whoever inserts a taken value learns that it is taken."""

COVERT_CHANNELS: Final[Mapping[str, str]] = {}
"""Foreign keys from owned tables to owned rows without the owner, by name: whoever refers to a hidden row learns that it exists."""

MINOR_FLOORS: Final[Mapping[int, int]] = {15: 14, 16: 10, 17: 6}
"""By major version, the first minor with the fixes of CVE-2023-2455, CVE-2024-10976 and CVE-2025-8713; later majors have them."""
