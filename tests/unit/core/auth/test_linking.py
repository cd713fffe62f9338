"""The 36 cells: {identity known?} x {trust} x {local state} x {signed in?}."""

from __future__ import annotations

from itertools import product

import pytest

from tests.asvs import asvs
from tradingcore.auth.model.identity import EmailTrust
from tradingcore.auth.policies.linking import Linking, LocalState, decide, may_unlink

TABLE = """
known trust    local      outside           signed in
no    none     none       create_unverified link
no    none     unverified create_unverified link
no    none     verified   create_unverified link
no    provider none       create_unverified link
no    provider unverified create_unverified link
no    provider verified   create_unverified link
no    verified none       create            link
no    verified unverified take_over         link
no    verified verified   prove             link
yes   none     none       sign_in           keep
yes   none     unverified sign_in           keep
yes   none     verified   sign_in           keep
yes   provider none       sign_in           keep
yes   provider unverified sign_in           keep
yes   provider verified   sign_in           keep
yes   verified none       sign_in           keep
yes   verified unverified sign_in           keep
yes   verified verified   sign_in           keep
"""


def cells() -> dict[tuple[bool, EmailTrust, LocalState, bool], Linking]:
    found = {}
    for line in TABLE.strip().splitlines()[1:]:
        known, trust, local, *outcomes = line.split()
        for is_signed_in, outcome in zip((False, True), outcomes, strict=True):
            found[known == "yes", EmailTrust(trust), LocalState(local), is_signed_in] = Linking(outcome)
    return found


def test_the_table_has_all_cells() -> None:
    assert set(cells()) == set(product((False, True), EmailTrust, LocalState, (False, True)))
    assert len(cells()) == 36


@asvs("6.8.1")
@pytest.mark.parametrize(("cell", "expected"), list(cells().items()))
def test_every_cell_is_as_reviewed(cell: tuple[bool, EmailTrust, LocalState, bool], expected: Linking) -> None:
    is_known, trust, local, is_signed_in = cell
    assert decide(is_known=is_known, trust=trust, local=local, is_signed_in=is_signed_in, is_own=True) is expected


@pytest.mark.parametrize(("trust", "local"), list(product(EmailTrust, LocalState)))
def test_identity_of_another_account_is_never_moved(trust: EmailTrust, local: LocalState) -> None:
    assert decide(is_known=True, trust=trust, local=local, is_signed_in=True, is_own=False) is Linking.REFUSE


@asvs("6.8.1")
@pytest.mark.parametrize(("trust", "local"), list(product(EmailTrust, LocalState)))
def test_no_address_alone_opens_an_account_that_exists(trust: EmailTrust, local: LocalState) -> None:
    outcome = decide(is_known=False, trust=trust, local=local, is_signed_in=False)
    assert outcome not in (Linking.SIGN_IN, Linking.LINK)
    if local is LocalState.VERIFIED:
        assert outcome is not Linking.TAKE_OVER


@pytest.mark.parametrize(
    ("others", "has_password", "has_passkey", "expected"),
    [(0, False, False, False), (1, False, False, True), (0, True, False, True), (0, False, True, True)],
)
def test_the_last_way_to_sign_in_stays(*, others: int, has_password: bool, has_passkey: bool, expected: bool) -> None:
    assert may_unlink(other_identities=others, has_password=has_password, has_passkey=has_passkey) is expected
