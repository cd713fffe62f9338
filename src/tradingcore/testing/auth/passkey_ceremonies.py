"""The contract of the passkey ceremonies. An authenticator is supplied with the adapter: the core has no keys of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import pytest

from tradingcore.auth.errors import FactorRefused
from tradingcore.auth.model.passkey import Passkey
from tradingcore.auth.ports.passkeys import PasskeyCeremonies
from tradingcore.kernel.authz import UserId
from tradingcore.testing.auth.passkeys import a_passkey
from tradingcore.testing.builders import an_id

CHALLENGE, OTHER_CHALLENGE = bytes(range(32)), bytes(32)


class Authenticator(Protocol):
    """A device with one key, and the browser around it. Both answer as a browser's ``toJSON`` does."""

    def create(self, options: str, **client_data: Any) -> dict[str, Any]: ...

    def get(self, options: str, **client_data: Any) -> dict[str, Any]: ...


NewAuthenticator = Callable[..., Authenticator]
Mistake = Callable[[dict[str, Any]], dict[str, Any]]


def _cut(field: str) -> Mistake:
    def cut(answer: dict[str, Any]) -> dict[str, Any]:
        response = {**answer["response"], field: answer["response"][field][:-8]}
        return {**answer, "response": response}

    return cut


MISTAKES: Mapping[str, Mistake] = {
    "no id": lambda answer: {name: value for name, value in answer.items() if name != "id"},
    "another id": lambda answer: {**answer, "id": "AAAA"},
    "another type": lambda answer: {**answer, "type": "password"},
    "no response": lambda answer: {**answer, "response": {}},
    "response of another kind": lambda answer: {**answer, "response": []},
    "client data cut": _cut("clientDataJSON"),
}


class PasskeyCeremoniesContract:
    """Fixtures: ``ceremonies``, for a party at https://app.example, and ``new_authenticator``.

    That takes the traits ``counts``, ``verifies_user``, ``origin`` and ``rp_id``.
    """

    @pytest.fixture
    def ceremonies(self) -> PasskeyCeremonies:
        raise NotImplementedError("supply the ceremonies under test")

    @pytest.fixture
    def new_authenticator(self) -> NewAuthenticator:
        raise NotImplementedError("supply a maker of authenticators")

    def _made(self, ceremonies: PasskeyCeremonies, authenticator: Authenticator) -> Passkey:
        user_id = UserId(an_id())
        options = ceremonies.creation_options(challenge=CHALLENGE, user_id=user_id, name="ana@example.org", known=())
        made = ceremonies.verify_creation(json.dumps(authenticator.create(options)), challenge=CHALLENGE)
        return a_passkey(
            user_id,
            credential_id=made.credential_id,
            public_key=made.public_key,
            sign_count=made.sign_count,
            transports=made.transports,
        )

    def _asked(self, ceremonies: PasskeyCeremonies, passkey: Passkey) -> str:
        return ceremonies.request_options(challenge=CHALLENGE, known=[passkey])

    def test_key_that_was_made_signs(self, ceremonies: PasskeyCeremonies, new_authenticator: NewAuthenticator) -> None:
        authenticator = new_authenticator()
        passkey = self._made(ceremonies, authenticator)
        answer = json.dumps(authenticator.get(self._asked(ceremonies, passkey)))
        assert ceremonies.presented(answer).credential_id == passkey.credential_id
        assert ceremonies.presented(answer).user_handle == passkey.user_id.bytes
        count = ceremonies.verify_request(answer, challenge=CHALLENGE, passkey=passkey, must_verify_user=True)
        assert count == passkey.sign_count + 1

    def test_options_name_the_known_keys(self, ceremonies: PasskeyCeremonies, new_authenticator: NewAuthenticator) -> None:
        passkey = self._made(ceremonies, new_authenticator())
        asked = json.loads(self._asked(ceremonies, passkey))
        (allowed,) = asked["allowCredentials"]
        creation = json.loads(
            ceremonies.creation_options(challenge=CHALLENGE, user_id=passkey.user_id, name="ana", known=[passkey])
        )
        assert [excluded["id"] for excluded in creation["excludeCredentials"]] == [allowed["id"]]
        open_to_all = json.loads(ceremonies.request_options(challenge=CHALLENGE, known=()))
        assert open_to_all["allowCredentials"] == []
        assert open_to_all["userVerification"] == "required"

    def test_authenticator_that_does_not_count_is_taken(
        self, ceremonies: PasskeyCeremonies, new_authenticator: NewAuthenticator
    ) -> None:
        authenticator = new_authenticator(counts=False)
        passkey = self._made(ceremonies, authenticator)
        answer = json.dumps(authenticator.get(self._asked(ceremonies, passkey)))
        assert ceremonies.verify_request(answer, challenge=CHALLENGE, passkey=passkey, must_verify_user=True) == 0

    def test_counter_that_does_not_grow_is_refused(
        self, ceremonies: PasskeyCeremonies, new_authenticator: NewAuthenticator
    ) -> None:
        authenticator = new_authenticator()
        passkey = replace(self._made(ceremonies, authenticator), sign_count=1)
        answer = json.dumps(authenticator.get(self._asked(ceremonies, passkey)))
        with pytest.raises(FactorRefused):
            ceremonies.verify_request(answer, challenge=CHALLENGE, passkey=passkey, must_verify_user=True)

    def test_touch_without_a_pin_counts_only_where_that_is_enough(
        self, ceremonies: PasskeyCeremonies, new_authenticator: NewAuthenticator
    ) -> None:
        authenticator = new_authenticator(verifies_user=False)
        passkey = self._made(ceremonies, authenticator)
        answer = json.dumps(authenticator.get(self._asked(ceremonies, passkey)))
        with pytest.raises(FactorRefused):
            ceremonies.verify_request(answer, challenge=CHALLENGE, passkey=passkey, must_verify_user=True)
        assert ceremonies.verify_request(answer, challenge=CHALLENGE, passkey=passkey, must_verify_user=False) == 1

    @pytest.mark.parametrize(
        "traits",
        [
            {"origin": "https://app.example.evil.test"},
            {"origin": "http://app.example"},
            {"origin": "https://app.example:444"},
            {"rp_id": "evil.test"},
        ],
        ids=str,
    )
    def test_answer_from_another_place_is_refused(
        self, ceremonies: PasskeyCeremonies, new_authenticator: NewAuthenticator, traits: dict[str, str]
    ) -> None:
        with pytest.raises(FactorRefused):
            self._made(ceremonies, new_authenticator(**traits))
        authenticator = new_authenticator()
        passkey = self._made(ceremonies, authenticator)
        for name, value in traits.items():
            setattr(authenticator, name, value)
        answer = json.dumps(authenticator.get(self._asked(ceremonies, passkey)))
        with pytest.raises(FactorRefused):
            ceremonies.verify_request(answer, challenge=CHALLENGE, passkey=passkey, must_verify_user=False)

    def test_answer_to_another_challenge_or_of_the_other_ceremony_is_refused(
        self, ceremonies: PasskeyCeremonies, new_authenticator: NewAuthenticator
    ) -> None:
        authenticator = new_authenticator()
        passkey = self._made(ceremonies, authenticator)
        asked = self._asked(ceremonies, passkey)
        answers = (
            (json.dumps(authenticator.get(asked)), OTHER_CHALLENGE),
            (json.dumps(authenticator.get(asked, type="webauthn.create")), CHALLENGE),
        )
        for answer, challenge in answers:
            with pytest.raises(FactorRefused):
                ceremonies.verify_request(answer, challenge=challenge, passkey=passkey, must_verify_user=False)

    def test_key_of_somebody_else_is_refused(self, ceremonies: PasskeyCeremonies, new_authenticator: NewAuthenticator) -> None:
        authenticator, thief = new_authenticator(), new_authenticator()
        passkey, stolen = self._made(ceremonies, authenticator), self._made(ceremonies, thief)
        forged = json.dumps(thief.get(self._asked(ceremonies, stolen)))
        own = authenticator.get(self._asked(ceremonies, passkey))
        signed_for_other = json.dumps(own)
        # The signature does not cover which key it is said to be of.
        other_id = json.loads(forged)["id"]
        relabelled = json.dumps({**own, "id": other_id, "rawId": other_id})
        for answer, claimed in (
            (relabelled, replace(passkey, sign_count=0)),
            (forged, passkey),
            (forged, replace(stolen, public_key=passkey.public_key)),
            (signed_for_other, replace(passkey, user_id=UserId(an_id()))),
        ):
            with pytest.raises(FactorRefused):
                ceremonies.verify_request(answer, challenge=CHALLENGE, passkey=claimed, must_verify_user=False)

    @pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
    def test_malformed_answer_is_refused(
        self, ceremonies: PasskeyCeremonies, new_authenticator: NewAuthenticator, mistake: Mistake
    ) -> None:
        authenticator = new_authenticator()
        passkey = self._made(ceremonies, authenticator)
        signed = json.dumps(mistake(authenticator.get(self._asked(ceremonies, passkey))))
        with pytest.raises(FactorRefused):
            ceremonies.verify_request(signed, challenge=CHALLENGE, passkey=passkey, must_verify_user=False)
        options = ceremonies.creation_options(challenge=CHALLENGE, user_id=passkey.user_id, name="ana", known=())
        made = json.dumps(mistake(new_authenticator().create(options)))
        with pytest.raises(FactorRefused):
            ceremonies.verify_creation(made, challenge=CHALLENGE)

    @pytest.mark.parametrize("field", ["signature", "authenticatorData"])
    def test_altered_answer_is_refused(
        self, ceremonies: PasskeyCeremonies, new_authenticator: NewAuthenticator, field: str
    ) -> None:
        authenticator = new_authenticator()
        passkey = self._made(ceremonies, authenticator)
        answer = authenticator.get(self._asked(ceremonies, passkey))
        text = answer["response"][field]
        for place in range(0, len(text), 7):
            other = "A" if text[place] != "A" else "B"
            response = {**answer["response"], field: text[:place] + other + text[place + 1 :]}
            with pytest.raises(FactorRefused):
                ceremonies.verify_request(
                    json.dumps({**answer, "response": response}), challenge=CHALLENGE, passkey=passkey, must_verify_user=False
                )

    @pytest.mark.parametrize("text", ["", "null", "[]", "{}", "x", "1" * 40_000, '{"id": "\\ud800"}', "[" * 20_000])
    def test_what_is_no_answer_is_refused(self, ceremonies: PasskeyCeremonies, text: str) -> None:
        with pytest.raises(FactorRefused):
            ceremonies.presented(text)
        with pytest.raises(FactorRefused):
            ceremonies.verify_creation(text, challenge=CHALLENGE)
