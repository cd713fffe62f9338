"""What people may say of themselves."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

from tradingcore.auth.model.account import Profile
from tradingcore.kernel.errors import FieldError, InvalidInput

LONGEST_NAME: Final = 80
LOCALES: Final = frozenset({"en", "es"})
"""Languages that mail is written in."""

# A name of the IANA database and nothing that could be a path.
_TIME_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(/[A-Za-z][A-Za-z0-9_+-]{0,30}){0,2}")


def check_profile(profile: Profile) -> Profile:
    """Return it with its name tidied. Raises `InvalidInput`."""
    name = " ".join(unicodedata.normalize("NFC", profile.display_name).split())
    if len(name) > LONGEST_NAME or any(unicodedata.category(letter) in ("Cc", "Cs", "Cn", "Co") for letter in name):
        raise _wrong("display_name", f"a name has at most {LONGEST_NAME} characters, all of which can be shown")
    if profile.locale not in LOCALES:
        raise _wrong("locale", f"the locale is one of {', '.join(sorted(LOCALES))}, was {profile.locale[:20]!r}")
    if not _is_time_zone(profile.time_zone):
        raise _wrong("time_zone", f"a time zone has an IANA name such as America/Mexico_City, was {profile.time_zone[:40]!r}")
    return replace(profile, display_name=name)


def _is_time_zone(name: str) -> bool:
    if not _TIME_ZONE.fullmatch(name):
        return False
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown name, one that is none, and a folder of the database
        return False
    return True


def _wrong(name: str, sentence: str) -> InvalidInput:
    return InvalidInput(sentence, errors=(FieldError(f"/{name}", "invalid", sentence),))
