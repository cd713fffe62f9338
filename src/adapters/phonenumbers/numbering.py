from __future__ import annotations

import re
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from tradingcore.auth.model.phone import PhoneNumber
from tradingcore.auth.policies.phones import phone_refused
from tradingcore.auth.ports.phones import PhoneNumbering

BLOCK_DIGITS: Final = 3
"""Of the national number. With the calling code they name a block that one carrier was given, in most plans."""

_LONGEST: Final = 32
_FORM: Final = re.compile(r"\+[0-9][0-9 ().\-/]*")
_MOBILE: Final = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})


class MetadataPhoneNumbering(PhoneNumbering):
    """The numbering plans that come with the library phonenumbers; it changes several times a year, so keep it fresh."""

    def parse(self, text: str) -> PhoneNumber:
        text = text.strip()
        if len(text) > _LONGEST or not text.isascii() or not _FORM.fullmatch(text):
            raise phone_refused("a phone number is written in international form, such as +34 612 34 56 78")
        try:
            parsed = phonenumbers.parse(text, None)
        except phonenumbers.NumberParseException:
            raise phone_refused("this is not a phone number in international form") from None
        if not phonenumbers.is_valid_number(parsed):
            raise phone_refused("this number is assigned to nobody: check the country code and the digits")
        region = phonenumbers.region_code_for_number(parsed)
        if phonenumbers.number_type(parsed) not in _MOBILE or region is None or not region.isalpha():
            raise phone_refused("codes are sent to mobile numbers only, not to fixed, toll-free, shared-cost or premium ones")
        national = phonenumbers.national_significant_number(parsed)
        return PhoneNumber(
            e164=phonenumbers.format_number(parsed, PhoneNumberFormat.E164),
            region=region,
            block=f"+{parsed.country_code}{national[:BLOCK_DIGITS]}",
        )
