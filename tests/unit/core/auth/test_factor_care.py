"""Setting factors up and taking them away: what each change demands, and what it brings with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from xml.etree import ElementTree

import pyotp
import pytest

from adapters.cryptography.key_ring import fixed_ring
from adapters.cryptography.sealing import AesGcmPurposeSealer
from adapters.segno.qr_codes import SegnoQrCodes
from tests.asvs import asvs
from tests.unit.core.auth.factor_desk import WRONG, FactorDesk
from tradingcore.auth.errors import ChallengeEnded, FactorExists, FactorNotFound, FactorRefused, TrustedDeviceNotFound
from tradingcore.auth.events import BackupCodesReplaced, DeviceTrustEnded, FactorAdded, FactorDenied, FactorRemoved, MailRequested
from tradingcore.auth.ids import SessionId, TrustedDeviceId
from tradingcore.auth.model.challenge import FactorKind
from tradingcore.auth.model.session import AuthMethod, EndReason, Session
from tradingcore.auth.use_cases.factor_changes import FactorChanges
from tradingcore.auth.use_cases.get_factors import AccountFactors, GetFactors, GetFactorsCommand
from tradingcore.auth.use_cases.mailing import Mailer
from tradingcore.auth.use_cases.manage_totp import (
    ConfirmTotp,
    ConfirmTotpCommand,
    EnrolTotp,
    EnrolTotpCommand,
    RemoveTotp,
    RemoveTotpCommand,
    TotpEnrolment,
)
from tradingcore.auth.use_cases.manage_trusted_devices import (
    ListTrustedDevices,
    ListTrustedDevicesCommand,
    RevokeTrustedDevice,
    RevokeTrustedDeviceCommand,
)
from tradingcore.auth.use_cases.regenerate_backup_codes import RegenerateBackupCodes, RegenerateBackupCodesCommand
from tradingcore.kernel.authz import Actor, Assurance, UserId
from tradingcore.kernel.errors import PermissionDenied, StepUpRequired, TooManyAttempts, Unauthenticated
from tradingcore.testing.auth.builders import an_unverified_account, the_owner_of
from tradingcore.testing.auth.sessions import a_refresh_token, a_session
from tradingcore.testing.builders import an_actor, an_id
from tradingcore.testing.fakes import FakeSecrets, SequentialIds


@dataclass
class CareDesk(FactorDesk):
    """The use cases of an account that is stored, with a session for its owner and another one."""

    def __post_init__(self) -> None:
        super().__post_init__()
        mailer = Mailer(
            sealer=AesGcmPurposeSealer(fixed_ring()),
            clock=self.clock,
            ids=SequentialIds(start=1 << 52),
            secrets=FakeSecrets("mail"),
        )
        changes = FactorChanges(factors=self.factors, mailer=mailer)
        self.enrol = EnrolTotp(
            uow=self.units,
            changes=changes,
            qr_codes=SegnoQrCodes(),
            secrets=FakeSecrets("totp"),
            issuer="Trading Core",
        )
        self.confirm = ConfirmTotp(uow=self.units, changes=changes)
        self.remove = RemoveTotp(uow=self.units, changes=changes)
        self.regenerate = RegenerateBackupCodes(uow=self.units, changes=changes)
        self.get = GetFactors(uow=self.units, policy=self.policy)
        self.list_devices = ListTrustedDevices(uow=self.units, clock=self.clock)
        self.revoke_device = RevokeTrustedDevice(uow=self.units, clock=self.clock)
        self.other_session = SessionId(an_id())

    async def open(self) -> CareDesk:
        async with self.units(an_actor()) as unit:
            await unit.accounts.save(self.account)
            for session_id in (self.owner.session_id, self.other_session):
                assert session_id is not None
                session = a_session(self.account.id, id=SessionId(session_id))
                await unit.sessions.open(session, a_refresh_token(session, session_id.bytes))
        return self

    @property
    def sure_owner(self) -> Actor:
        """The owner, who has just shown a second factor."""
        return replace(self.owner, assurance=Assurance.AAL2)

    async def set_up(self) -> list[str]:
        enrolled = await self.enrol(self.owner, EnrolTotpCommand())
        self.device = pyotp.TOTP(enrolled.secret)
        confirmed = await self.confirm(self.owner, ConfirmTotpCommand(code=self.code()))
        return list(confirmed.backup_codes)

    async def session(self, session_id: SessionId | None = None) -> Session:
        async with self.units(an_actor()) as unit:
            wanted = session_id or self.owner.session_id
            assert wanted is not None
            return await unit.sessions.get(SessionId(wanted))


async def a_desk() -> CareDesk:
    return await CareDesk().open()


async def test_authenticator_counts_once_it_has_shown_a_right_code() -> None:
    desk = await a_desk()
    enrolled: TotpEnrolment = await desk.enrol(desk.owner, EnrolTotpCommand())
    assert enrolled.secret not in repr(enrolled)
    device = pyotp.parse_uri(enrolled.uri)
    assert isinstance(device, pyotp.TOTP)
    assert (device.secret, device.issuer) == (enrolled.secret, "Trading Core")
    assert desk.account.email is not None
    assert device.name == desk.account.email.text
    assert ElementTree.fromstring(enrolled.qr_svg).tag.endswith("svg")
    assert await desk.get(desk.owner, GetFactorsCommand()) == AccountFactors(
        totp_since=None, passkeys=[], backup_codes_left=0, is_required=False
    )
    confirmed = await desk.confirm(desk.owner, ConfirmTotpCommand(code=device.at(desk.clock.now())))
    assert len(set(confirmed.backup_codes)) == 10
    assert await desk.get(desk.owner, GetFactorsCommand()) == AccountFactors(
        totp_since=desk.clock.now(), passkeys=[], backup_codes_left=10, is_required=False
    )
    added = [event for event in desk.audited() if isinstance(event, FactorAdded)]
    assert [(event.user_id, event.kind) for event in added] == [(desk.account.id, FactorKind.TOTP)]


async def test_account_whose_address_nobody_has_proven_gets_no_factor() -> None:
    # Its maker may be a stranger, whose factor would guard it from the owner of the address.
    desk = await CareDesk(account=an_unverified_account()).open()
    with pytest.raises(PermissionDenied, match="prove the address"):
        await desk.enrol(desk.owner, EnrolTotpCommand())
    nameless = await CareDesk(account=an_unverified_account(email=None)).open()
    await nameless.enrol(nameless.owner, EnrolTotpCommand())


@asvs("6.5.3")
async def test_every_enrolment_has_a_secret_of_its_own() -> None:
    desk = await a_desk()
    secrets = {(await desk.enrol(desk.owner, EnrolTotpCommand())).secret for _ in range(3)}
    assert len(secrets) == 3
    assert {len(secret) for secret in secrets} == {32}


async def test_first_code_cannot_be_used_again_to_sign_in() -> None:
    desk = await a_desk()
    await desk.set_up()
    with pytest.raises(FactorRefused):
        await desk.answer(await desk.ask(), desk.code())


async def test_wrong_first_code_confirms_nothing_and_is_counted() -> None:
    desk = await a_desk()
    await desk.enrol(desk.owner, EnrolTotpCommand())
    for _ in range(5):
        with pytest.raises(FactorRefused):
            await desk.confirm(desk.owner, ConfirmTotpCommand(code=WRONG))
    with pytest.raises(TooManyAttempts):
        await desk.confirm(desk.owner, ConfirmTotpCommand(code=WRONG))
    assert (await desk.get(desk.owner, GetFactorsCommand())).totp_since is None
    assert sum(isinstance(event, FactorDenied) for event in desk.audited()) == 5


@asvs("2.3.1")
async def test_there_is_nothing_to_confirm_before_enrolling_or_twice() -> None:
    desk = await a_desk()
    with pytest.raises(FactorNotFound):
        await desk.confirm(desk.owner, ConfirmTotpCommand(code=WRONG))
    await desk.set_up()
    with pytest.raises(FactorNotFound):
        await desk.confirm(desk.sure_owner, ConfirmTotpCommand(code=desk.code()))


async def test_second_authenticator_is_refused() -> None:
    desk = await a_desk()
    await desk.set_up()
    with pytest.raises(FactorExists):
        await desk.enrol(desk.sure_owner, EnrolTotpCommand())


@asvs("7.4.3")
async def test_new_factor_ends_other_sessions_and_makes_this_one_sure() -> None:
    desk = await a_desk()
    async with desk.units(desk.owner) as unit:
        trusted = await desk.devices.give(unit, desk.account.id, "an old phone")
    await desk.set_up()
    present, other = await desk.session(), await desk.session(desk.other_session)
    assert (present.assurance, present.ended_at) == (Assurance.AAL2, None)
    assert AuthMethod.TOTP in present.methods
    assert other.end_reason is EndReason.CREDENTIAL_CHANGED
    async with desk.units(an_actor()) as unit:
        assert (await unit.accounts.get(desk.account.id)).rights_version == desk.account.rights_version + 1
    assert await desk.devices.find(trusted.token, desk.account.id) is None


async def mails(desk: CareDesk) -> list[str]:
    entries = [entry for queue in desk.database.outbox.queues.values() for entry in queue]
    return [entry.recorded.event.template for entry in entries if isinstance(entry.recorded.event, MailRequested)]


@asvs("6.3.7")
async def test_owner_is_told_by_mail() -> None:
    desk = await a_desk()
    await desk.set_up()
    await desk.remove(desk.sure_owner, RemoveTotpCommand())
    assert await mails(desk) == ["factor_added", "factor_removed"]


@asvs("6.5.6")
async def test_removed_factor_leaves_nothing_that_rests_on_it() -> None:
    desk = await a_desk()
    codes = await desk.set_up()
    challenge = await desk.ask()
    await desk.remove(desk.sure_owner, RemoveTotpCommand())
    assert await desk.get(desk.owner, GetFactorsCommand()) == AccountFactors(
        totp_since=None, passkeys=[], backup_codes_left=0, is_required=False
    )
    with pytest.raises(ChallengeEnded):
        await desk.answer(challenge, codes[0], FactorKind.BACKUP_CODE)
    assert (await desk.session()).assurance is Assurance.AAL1
    assert any(isinstance(event, FactorRemoved) for event in desk.audited())
    with pytest.raises(FactorNotFound):
        await desk.remove(desk.sure_owner, RemoveTotpCommand())


async def test_new_codes_end_the_old_ones() -> None:
    desk = await a_desk()
    old = await desk.set_up()
    new = await desk.regenerate(desk.sure_owner, RegenerateBackupCodesCommand())
    assert len(set(new) | set(old)) == 20
    with pytest.raises(FactorRefused):
        await desk.answer(await desk.ask(), old[0], FactorKind.BACKUP_CODE)
    await desk.answer(await desk.ask(), new[0], FactorKind.BACKUP_CODE)
    assert sum(isinstance(event, BackupCodesReplaced) for event in desk.audited()) == 2


async def test_codes_need_a_factor_that_they_stand_in_for() -> None:
    desk = await a_desk()
    with pytest.raises(FactorNotFound):
        await desk.regenerate(desk.sure_owner, RegenerateBackupCodesCommand())


@asvs("7.5.1", "6.4.4")
async def test_one_factor_is_not_enough_to_change_factors() -> None:
    desk = await a_desk()
    await desk.set_up()
    with pytest.raises(StepUpRequired) as asked:
        await desk.remove(desk.owner, RemoveTotpCommand())
    assert asked.value.assurance == "aal2"
    with pytest.raises(StepUpRequired):
        await desk.regenerate(desk.owner, RegenerateBackupCodesCommand())
    with pytest.raises(StepUpRequired):
        await desk.enrol(desk.owner, EnrolTotpCommand())
    with pytest.raises(StepUpRequired):
        await desk.confirm(desk.owner, ConfirmTotpCommand(code=WRONG))


@asvs("7.5.1")
async def test_old_sign_in_is_not_enough_to_change_factors() -> None:
    desk = await a_desk()
    stale = replace(desk.sure_owner, authentication_age=timedelta(minutes=5, seconds=1))
    for call in (
        desk.enrol(stale, EnrolTotpCommand()),
        desk.confirm(stale, ConfirmTotpCommand(code=WRONG)),
        desk.remove(stale, RemoveTotpCommand()),
        desk.regenerate(stale, RegenerateBackupCodesCommand()),
    ):
        with pytest.raises(StepUpRequired):
            await call


async def test_key_and_operator_have_no_factors() -> None:
    desk = await a_desk()
    key = replace(desk.sure_owner, session_id=None)
    with pytest.raises(PermissionDenied):
        await desk.enrol(key, EnrolTotpCommand())
    with pytest.raises(Unauthenticated):
        await desk.get(an_actor(), GetFactorsCommand())


async def test_trusted_device_is_listed_and_revoked_by_its_owner_only() -> None:
    desk = await a_desk()
    async with desk.units(desk.owner) as unit:
        trusted = await desk.devices.give(unit, desk.account.id, "Firefox on Linux")
    stranger = the_owner_of(replace(desk.account, id=UserId(an_id())))
    assert list(await desk.list_devices(desk.owner, ListTrustedDevicesCommand())) == [trusted.device]
    assert list(await desk.list_devices(stranger, ListTrustedDevicesCommand())) == []
    revoke = RevokeTrustedDeviceCommand(device_id=trusted.device.id)
    with pytest.raises(TrustedDeviceNotFound) as foreign:
        await desk.revoke_device(stranger, revoke)
    unknown = TrustedDeviceId(an_id())
    with pytest.raises(TrustedDeviceNotFound) as absent:
        await desk.revoke_device(desk.owner, RevokeTrustedDeviceCommand(device_id=unknown))
    assert str(foreign.value).replace(str(trusted.device.id), "") == str(absent.value).replace(str(unknown), "")
    await desk.revoke_device(desk.owner, revoke)
    assert await desk.devices.find(trusted.token, desk.account.id) is None
    assert any(isinstance(event, DeviceTrustEnded) for event in desk.audited())
