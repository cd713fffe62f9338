from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.webauthn.ceremonies import WebauthnPasskeyCeremonies
from tests.authenticator import CEREMONIES, SoftwareAuthenticator, encoded
from tradingcore.auth.errors import FactorRefused
from tradingcore.testing.auth.passkey_ceremonies import CHALLENGE, NewAuthenticator, PasskeyCeremoniesContract

texts = st.text(max_size=30) | st.binary(max_size=80).map(encoded)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
responses = st.fixed_dictionaries(
    {},
    optional={
        "clientDataJSON": texts,
        "attestationObject": texts,
        "authenticatorData": texts,
        "signature": texts,
        "userHandle": texts | st.none(),
        "transports": values,
    },
)
credentials = st.fixed_dictionaries(
    {"id": texts, "rawId": texts, "type": st.just("public-key") | texts, "response": responses | values}
)


class TestWebauthnPasskeyCeremonies(PasskeyCeremoniesContract):
    @pytest.fixture
    def ceremonies(self) -> WebauthnPasskeyCeremonies:
        return CEREMONIES

    @pytest.fixture
    def new_authenticator(self) -> NewAuthenticator:
        return SoftwareAuthenticator

    def test_synced_key_is_known_as_one(self, ceremonies: WebauthnPasskeyCeremonies) -> None:
        for is_synced in (True, False):
            passkey = self._made(ceremonies, SoftwareAuthenticator(is_synced=is_synced))
            options = ceremonies.creation_options(challenge=CHALLENGE, user_id=passkey.user_id, name="ana", known=())
            made = SoftwareAuthenticator(is_synced=is_synced).create(options)
            assert ceremonies.verify_creation(json.dumps(made), challenge=CHALLENGE).is_synced is is_synced


@given(credentials | values)
def test_nothing_that_comes_from_outside_is_a_fault_of_ours(credential: Any) -> None:
    for check in (CEREMONIES.presented, lambda answer: CEREMONIES.verify_creation(answer, challenge=CHALLENGE)):
        try:
            check(json.dumps(credential))
        except FactorRefused:
            continue
