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

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from entrypoints.oauth_section import OAuthSection, is_of_this_machine
from entrypoints.phones_section import PhonesSection
from entrypoints.sections import (
    DatabaseSection,
    FactorsSection,
    HttpSection,
    LimitsSection,
    LogSection,
    MailSection,
    PasswordsSection,
    SecretsSection,
    StreamSection,
    TokensSection,
    WorkerSection,
)
from tradingcore.kernel.errors import InvalidInput

PREFIX: Final = "TRADINGCORE__"
WEAK_WORDS: Final = ("tradingcore", "change-me", "changeme", "password", "example", "secret", "test")
SHORTEST_SECRET: Final = 32
LEAST_BCRYPT_COST: Final = 10
FEWEST_OTHER_CHARACTERS: Final = 16
"""A secret made of weak words needs at least that much besides them."""


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """Everything that can be configured."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    environment: Environment = Environment.DEVELOPMENT
    data_dir: Path = Field(default_factory=lambda: default_data_dir())
    storage: str = Field(default="embedded", description="embedded, memory or a postgresql:// address")
    http: HttpSection = HttpSection()
    database: DatabaseSection = DatabaseSection()
    stream: StreamSection = StreamSection()
    limits: LimitsSection = LimitsSection()
    worker: WorkerSection = WorkerSection()
    mail: MailSection = MailSection()
    log: LogSection = LogSection()
    phones: PhonesSection = PhonesSection()
    passwords: PasswordsSection = PasswordsSection()
    tokens: TokensSection = TokensSection()
    factors: FactorsSection = FactorsSection()
    oauth: OAuthSection = OAuthSection()
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

    @model_validator(mode="after")
    def _no_provider_of_a_developer(self) -> Self:
        if self.oauth.local and self.environment is not Environment.DEVELOPMENT:
            raise ValueError("oauth.local lets anybody be anybody: it is for development only")
        if self.oauth.local and not is_of_this_machine(self.public_url):
            raise ValueError("oauth.local lets anybody be anybody: it is for an http.public_url of this machine only")
        return self

    @property
    def has_local_provider(self) -> bool:
        """Whether the API serves an identity provider where anybody may be anybody."""
        is_here = self.environment is Environment.DEVELOPMENT and is_of_this_machine(self.public_url)
        # Its address is part of what it signs: a port that is not known yet cannot be.
        is_known = self.http.port != 0 or self.http.public_url is not None
        return self.oauth.local is not False and is_here and is_known

    @property
    def mail_sender(self) -> Literal["mailbox", "smtp", "memory"]:
        if self.mail.sender is not None:
            return self.mail.sender
        if self.environment is not Environment.DEVELOPMENT:
            return "smtp"
        return "memory" if self.storage == "memory" else "mailbox"

    @model_validator(mode="after")
    def _phones_that_are_fit_for_strangers(self) -> Self:
        if self.environment is Environment.DEVELOPMENT:
            return self
        if self.phones.provider == "mailbox":
            raise ValueError("phones.provider mailbox shows codes to whoever runs the server: it is for development only")
        if self.phones.api_url is not None:
            raise ValueError("phones.api_url would send codes to a stand-in of the provider: it is for development only")
        return self

    @property
    def phone_provider(self) -> Literal["off", "mailbox", "verify", "messages"]:
        if self.phones.provider is not None:
            return self.phones.provider
        return "mailbox" if self.shows_mailbox else "off"

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
    is_secret = name.startswith(("secrets", "oauth")) or name == "database" or "password" in name
    return f"{name} ({origin}): {message}" + ("" if is_secret else f", was {masked(str(item['input']))!r}")
