"""Where somebody calls from, as far as sign-in cares."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from tradingcore.kernel.network import NetworkPrefix

UNKNOWN_DEVICE: Final = "unknown device"

# Order matters: most programs also name others that they want to be taken for.
_PROGRAMS: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)
_OTHER_PROGRAM: Final = re.compile(r"([A-Za-z][A-Za-z0-9 ._-]{0,30})/")
_LONGEST_READ: Final = 512


def device_name(user_agent: str) -> str:
    """A short name such as ``Firefox on Windows``, without versions, so that an update is no new device."""
    read = user_agent[:_LONGEST_READ]
    other = _OTHER_PROGRAM.match(read)
    program = next((name for mark, name in _PROGRAMS if mark in read), other.group(1).strip() if other else "")
    system = next((name for mark, name in _SYSTEMS if mark in read), "")
    if program in ("", "Mozilla"):
        return system or UNKNOWN_DEVICE
    return f"{program} on {system}" if system else program


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """``trusted_device`` is the token that the device showed, whatever it is worth."""

    network: NetworkPrefix
    device_label: str = UNKNOWN_DEVICE
    trusted_device: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, network: NetworkPrefix, *, user_agent: str, trusted_device: str | None = None) -> Caller:
        return cls(network=network, device_label=device_name(user_agent), trusted_device=trusted_device)
