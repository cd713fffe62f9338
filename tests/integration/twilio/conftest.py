from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.twilio.stub import TwilioStub


@pytest.fixture
def stub() -> Iterator[TwilioStub]:
    stub = TwilioStub()
    yield stub
    stub.close()
