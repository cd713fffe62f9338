from __future__ import annotations

import pytest

from adapters.phonenumbers.numbering import MetadataPhoneNumbering
from tradingcore.auth.ports.phones import PhoneNumbering
from tradingcore.testing.auth.phones import PhoneNumberingContract


class TestMetadataPhoneNumbering(PhoneNumberingContract):
    @pytest.fixture
    def numbering(self) -> PhoneNumbering:
        return MetadataPhoneNumbering()

    def numbering_of_the_suite(self) -> PhoneNumbering:
        return MetadataPhoneNumbering()
