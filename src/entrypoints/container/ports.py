"""Which adapter serves which port, for every storage."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from dependency_injector import containers, providers

from adapters.bridges.limits import FallbackAttemptLimiter, FallbackRateLimiter
from adapters.bridges.market_history import TradingMarketHistory
from adapters.bridges.served_models import LoadedModels
from adapters.system.clock import SystemClock
from adapters.system.identifiers import OsSecretSource, Uuid7Generator
from entrypoints.oauth_section import OAuthSection
from entrypoints.sections import FactorsSection, PasswordsSection, TokensSection
from tradingcore.auth.events import EVENTS as AUTH_EVENTS
from tradingcore.auth.model.password import PasswordPolicy
from tradingcore.auth.policies.limits import AttemptPolicy
from tradingcore.kernel.codec import EventCodec
from tradingcore.kernel.limits import Quota
from tradingcore.kernel.ports import SILENT
from tradingcore.ml.events import EVENTS as ML_EVENTS
from tradingcore.trading.events import EVENTS as TRADING_EVENTS


def lazily(path: str) -> Callable[..., Any]:
    """A factory of ``module:name`` that imports it when called."""
    module, _, name = path.partition(":")

    def build(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kwargs)

    build.__name__ = name
    return build


def _called(function: Callable[[str], bytes], name: str) -> bytes:
    return function(name)


class Ports(containers.DeclarativeContainer):
    """Giving ``storage_kind`` (memory or postgres), ``stream_kind`` (storage or redis) and, for postgres, ``engine``.

    ``engine`` belongs to the database role of the process, ``system_engine`` to the one that relays, which no API process has.
    """

    storage_kind = providers.Dependency(instance_of=str)
    stream_kind = providers.Dependency(instance_of=str, default="storage")
    engine: providers.Dependency[Any] = providers.Dependency(default=None)
    system_engine: providers.Dependency[Any] = providers.Dependency(default=None)
    address: providers.Dependency[Any] = providers.Dependency(default=None)
    redis_url: providers.Dependency[Any] = providers.Dependency(default=None)
    limits_kind = providers.Dependency(instance_of=str, default="storage")
    limits_url: providers.Dependency[Any] = providers.Dependency(default=None)
    quota: providers.Dependency[Any] = providers.Dependency(default=Quota(limit=100, window_seconds=60))
    own_quota: providers.Dependency[Any] = providers.Dependency(default=Quota(limit=100, window_seconds=60))
    tell: providers.Dependency[Any] = providers.Dependency(default=lambda _: None)
    blob_folder: providers.Dependency[Any] = providers.Dependency(default=None)
    mail_kind = providers.Dependency(instance_of=str, default="memory")
    mail_folder: providers.Dependency[Any] = providers.Dependency(default=None)
    smtp_settings: providers.Dependency[Any] = providers.Dependency(default=None)
    public_url = providers.Dependency(instance_of=str, default="http://127.0.0.1:8000")
    environment = providers.Dependency(instance_of=str, default="development")
    observer: providers.Dependency[Any] = providers.Dependency(default=SILENT)
    passwords: providers.Dependency[Any] = providers.Dependency(default=PasswordsSection())
    tokens: providers.Dependency[Any] = providers.Dependency(default=TokensSection())
    factors: providers.Dependency[Any] = providers.Dependency(default=FactorsSection())
    oauth: providers.Dependency[Any] = providers.Dependency(default=OAuthSection())
    has_local_provider = providers.Dependency(instance_of=bool, default=False)
    # Without these, secrets end with the process.
    secret_of: providers.Dependency[Any] = providers.Dependency(default=lambda _: OsSecretSource().token(32))
    key_rings: providers.Dependency[Any] = providers.Dependency(
        default=providers.Singleton(lazily("adapters.cryptography.key_ring:fixed_ring"))
    )
    signing_rings: providers.Dependency[Any] = providers.Dependency(
        default=providers.Singleton(lazily("adapters.joserfc.signing_keys:fixed_signing_ring"))
    )

    clock = providers.Singleton(SystemClock)
    ids = providers.Singleton(Uuid7Generator)
    secrets = providers.Singleton(OsSecretSource)
    codec = providers.Singleton(EventCodec, AUTH_EVENTS + ML_EVENTS + TRADING_EVENTS)

    password_policy = providers.Singleton(PasswordPolicy, shortest=passwords.provided.shortest)
    password_hasher = providers.Singleton(
        lazily("adapters.passwords.hasher:password_hasher"),
        providers.Callable(_called, secret_of, "password_pepper"),
        scheme=passwords.provided.scheme,
        bcrypt_cost=passwords.provided.bcrypt_cost,
    )
    password_blocklist = providers.Singleton(
        lazily("adapters.passwords.blocklist:ZxcvbnPasswordBlocklist"), passwords.provided.breach_filter
    )
    access_tokens = providers.Singleton(
        lazily("adapters.joserfc.access_tokens:JoserfcAccessTokens"),
        signing_rings,
        issuer=tokens.provided.issuer,
        audience=tokens.provided.audience,
    )
    sealer = providers.Singleton(
        lazily("adapters.cryptography.sealing:AesGcmSealer"),
        key_rings,
        index_key=providers.Callable(_called, secret_of, "index_key"),
    )
    purpose_sealer = providers.Singleton(lazily("adapters.cryptography.sealing:AesGcmPurposeSealer"), key_rings)

    memory = providers.Singleton(lazily("adapters.memory.database:MemoryDatabase"), clock=clock)

    trading_uow = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.trading:MemoryTradingUnits"), memory, ids),
        postgres=providers.Singleton(lazily("adapters.postgres.trading:PostgresTradingUnits"), engine, codec, ids),
    )
    candles = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.candles:MemoryCandleStore"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.candles:PostgresCandleStore"), engine),
    )
    trading_queries = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.trading:MemoryTradingQueries"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.trading:PostgresTradingQueries"), engine),
    )
    ml_uow = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.ml:MemoryMlUnits"), memory, ids),
        postgres=providers.Singleton(lazily("adapters.postgres.ml:PostgresMlUnits"), engine, codec, ids),
    )
    ml_queries = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.ml:MemoryMlQueries"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.ml:PostgresMlQueries"), engine),
    )
    auth_uow = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.keys:MemoryAuthUnits"), memory, ids),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.keys:PostgresAuthUnits"), engine, codec, ids, sealer),
    )
    account_lookup = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.accounts:MemoryAccountLookup"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.accounts:PostgresAccountLookup"), engine, sealer),
    )
    audit_trail = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.audit:MemoryAuditTrail"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.audit:PostgresAuditTrail"), engine),
    )
    factor_lookup = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.factors:MemoryFactorLookup"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.factors:PostgresFactorLookup"), engine),
    )
    passkey_lookup = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.passkeys:MemoryPasskeyLookup"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.passkeys:PostgresPasskeyLookup"), engine),
    )
    passkey_ceremonies = providers.Singleton(
        lazily("adapters.webauthn.ceremonies:WebauthnPasskeyCeremonies"),
        rp_id=providers.Callable(FactorsSection.party_of, factors, public_url),
        rp_name=factors.provided.issuer,
        origins=providers.Callable(FactorsSection.origins_of, factors, public_url),
    )
    qr_codes = providers.Singleton(lazily("adapters.segno.qr_codes:SegnoQrCodes"))
    api_keys = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.keys:MemoryApiKeyLookup"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.keys:PostgresApiKeyLookup"), engine),
    )
    session_lookup = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.sessions:MemorySessionLookup"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.sessions:PostgresSessionLookup"), engine),
    )
    rights_feed = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.rights:MemoryRightsFeed"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.rights:PostgresRightsFeed"), engine, listening=system_engine),
    )
    rights_watch = providers.Singleton(lazily("adapters.memory.auth.remembered:RightsWatch"), rights_feed)
    remembered_sessions = providers.Singleton(
        lazily("adapters.memory.auth.remembered:RememberedSessionLookup"), session_lookup, rights_watch
    )
    remembered_api_keys = providers.Singleton(
        lazily("adapters.memory.auth.remembered:RememberedApiKeyLookup"), api_keys, rights_watch
    )
    remembered_access_tokens = providers.Singleton(lazily("adapters.memory.auth.remembered:RememberedAccessTokens"), access_tokens)
    session_archive = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.sessions:MemorySessionArchive"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.sessions:PostgresSessionArchive"), engine),
    )
    tickets = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.auth.keys:MemoryTicketStore"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.auth.keys:PostgresTicketStore"), engine),
    )
    attempt_policy = providers.Singleton(AttemptPolicy, key=providers.Callable(_called, secret_of, "attempts_key"))
    stored_attempts = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.limits:MemoryAttemptLimiter"), clock),
        postgres=providers.Singleton(lazily("adapters.postgres.limits:PostgresAttemptLimiter"), engine),
    )
    shared_attempts = providers.Singleton(lazily("adapters.redis.limits:RedisAttemptLimiter"), limits_url)
    attempts = providers.Selector(
        limits_kind,
        storage=stored_attempts,
        redis=providers.Singleton(FallbackAttemptLimiter, shared_attempts, stored_attempts, tell=tell),
    )
    own_rates = providers.Singleton(lazily("adapters.memory.limits:MemoryRateLimiter"), own_quota)
    shared_rates = providers.Singleton(lazily("adapters.redis.limits:RedisRateLimiter"), limits_url, quota)
    rate_limiter = providers.Selector(
        limits_kind,
        storage=own_rates,
        redis=providers.Singleton(FallbackRateLimiter, shared_rates, own_rates, tell=tell),
    )
    outbox = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.outbox:MemoryOutbox"), memory),
        postgres=providers.Singleton(lazily("adapters.postgres.outbox:PostgresOutbox"), system_engine, codec),
    )
    readiness_probe = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.readiness:MemoryReadiness")),
        postgres=providers.Singleton(lazily("adapters.postgres.readiness:PostgresReadiness"), engine),
    )
    blobs = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.blobs:MemoryBlobStore")),
        postgres=providers.Singleton(lazily("adapters.local.blobs:LocalBlobStore"), blob_folder),
    )
    stored_stream_log = providers.Selector(
        storage_kind,
        memory=providers.Singleton(lazily("adapters.memory.stream_log:MemoryStreamLog"), clock, ids),
        postgres=providers.Singleton(lazily("adapters.postgres.stream_log:PostgresStreamLog"), engine, address),
    )
    stream_log = providers.Selector(
        stream_kind,
        storage=stored_stream_log,
        redis=providers.Singleton(lazily("adapters.redis.stream_log:RedisStreamLog"), redis_url),
    )

    mail_sender = providers.Selector(
        mail_kind,
        memory=providers.Singleton(lazily("adapters.memory.mailbox:MemoryMailbox"), clock),
        mailbox=providers.Singleton(lazily("adapters.local.mailbox:LocalMailbox"), mail_folder, clock),
        smtp=providers.Singleton(lazily("adapters.smtp.mail:SmtpMailSender"), smtp_settings, clock),
    )
    mail_composer = providers.Singleton(lazily("adapters.jinja.composer:JinjaMailComposer"), public_url)

    features = providers.Singleton(lazily("adapters.numba.features:NumbaFeatureCalculator"))
    targets = providers.Singleton(lazily("adapters.numba.targets:NumbaTargetCalculator"))
    trainer = providers.Singleton(lazily("adapters.xgboost.trainer:XgboostModelTrainer"), features=features, targets=targets)
    loader = providers.Singleton(lazily("adapters.xgboost.loader:XgboostModelLoader"), features=features)
    models = providers.Singleton(LoadedModels, queries=ml_queries, blobs=blobs, loader=loader)
    history = providers.Singleton(TradingMarketHistory, queries=trading_queries, candles=candles)
