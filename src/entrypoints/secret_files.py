"""Secrets and keys: from the settings, else from files of the data folder that are made at first use."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from adapters.system.private_file import PrivateFile
from entrypoints.settings import ConfigurationError, Settings

if TYPE_CHECKING:
    from adapters.cryptography.key_ring import KeyRingFile, Rings
    from adapters.joserfc.signing_keys import SigningKeyFile, SigningRings

T = TypeVar("T")


def secret_of(settings: Settings, name: str) -> bytes:
    """A secret from the settings, else one that is generated once into the data folder, readable by its owner only."""
    given = getattr(settings.secrets, name)
    if given is not None:
        value: str = given.get_secret_value()
        return value.encode()
    if settings.storage_kind == "memory":
        return secrets.token_bytes(32)
    file = PrivateFile(settings.data_dir / "secrets" / name)
    return file.read(lambda: secrets.token_urlsafe(32)).strip().encode()


def key_ring_file(settings: Settings) -> KeyRingFile:
    """The file with the key-encryption keys. Raises `ConfigurationError` if there is none."""
    from adapters.cryptography.key_ring import KeyRingFile

    return KeyRingFile(_key_file(settings, "sealing_keys"))


def signing_key_file(settings: Settings) -> SigningKeyFile:
    """The file with the keys that sign access tokens. Raises `ConfigurationError` if there is none."""
    from adapters.joserfc.signing_keys import SigningKeyFile

    return SigningKeyFile(_key_file(settings, "signing_keys"), settings.tokens.algorithm)


def _key_file(settings: Settings, name: str) -> Path:
    if getattr(settings.secrets, name) is not None:
        raise ConfigurationError(f"secrets.{name} is a setting: add the new key as its last one, restart, drop the oldest later")
    if settings.storage_kind == "memory":
        raise ConfigurationError("with storage memory keys end with their process: there is nothing to rotate")
    return settings.data_dir / "secrets" / name


def key_rings(settings: Settings) -> Rings:
    """What seals: from the settings, else from its file."""
    return _at_first_use(_key_rings, settings)


def signing_rings(settings: Settings) -> SigningRings:
    """What signs access tokens, likewise."""
    return _at_first_use(_signing_rings, settings)


def _key_rings(settings: Settings) -> Rings:
    from adapters.cryptography.key_ring import fixed_ring

    if settings.secrets.sealing_keys is not None:
        return fixed_ring(settings.secrets.sealing_keys.get_secret_value())
    return fixed_ring() if settings.storage_kind == "memory" else key_ring_file(settings)


def _signing_rings(settings: Settings) -> SigningRings:
    from adapters.joserfc.signing_keys import fixed_signing_ring

    if settings.secrets.signing_keys is not None:
        return fixed_signing_ring(settings.secrets.signing_keys.get_secret_value())
    algorithm = settings.tokens.algorithm
    return fixed_signing_ring(algorithm=algorithm) if settings.storage_kind == "memory" else signing_key_file(settings)


def _at_first_use(source: Callable[[Settings], Callable[[], T]], settings: Settings) -> Callable[[], T]:
    """A command that seals and signs nothing neither loads what that needs nor makes the keys."""
    made = cache(partial(source, settings))
    return lambda: made()()
