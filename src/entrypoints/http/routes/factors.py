from __future__ import annotations

from http import HTTPStatus
from uuid import UUID

from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http.inputs import FromBody
from entrypoints.http.openapi import described
from entrypoints.http.rendering.factors import codes_body, devices_body, enrolment_body, factors_body
from entrypoints.http.schemas.factors import (
    BackupCodesBody,
    FactorsBody,
    TotpConfirmation,
    TotpEnrolmentBody,
    TrustedDeviceList,
)
from tradingcore.auth.errors import FactorExists, FactorNotFound, FactorRefused, TrustedDeviceNotFound
from tradingcore.auth.ids import TrustedDeviceId
from tradingcore.auth.use_cases.get_factors import GetFactors, GetFactorsCommand
from tradingcore.auth.use_cases.manage_totp import ConfirmTotp, EnrolTotp, EnrolTotpCommand, RemoveTotp, RemoveTotpCommand
from tradingcore.auth.use_cases.manage_trusted_devices import (
    ListTrustedDevices,
    ListTrustedDevicesCommand,
    RevokeTrustedDevice,
    RevokeTrustedDeviceCommand,
)
from tradingcore.auth.use_cases.regenerate_backup_codes import RegenerateBackupCodes, RegenerateBackupCodesCommand
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import Conflict, StepUpRequired

_OTHERS_END = "Your other sessions end, and access tokens with them: refresh, then go on."


@get("/factors", operation_id="getFactors", summary="The second factors of your account")
async def get_factors_handler(actor: NamedDependency[Actor], get_factors: NamedDependency[GetFactors]) -> FactorsBody:
    return factors_body(await get_factors(actor, GetFactorsCommand()))


@post(
    "/factors/totp",
    operation_id="enrolTotp",
    summary="A secret for an authenticator app",
    description="It counts once its first code was confirmed; asking again before that makes another secret.",
    status_code=HTTPStatus.CREATED,
    opt=described(raises=(StepUpRequired, FactorExists, Conflict)),
)
async def enrol_totp_handler(actor: NamedDependency[Actor], enrol_totp: NamedDependency[EnrolTotp]) -> TotpEnrolmentBody:
    return enrolment_body(await enrol_totp(actor, EnrolTotpCommand()))


@post(
    "/factors/totp/confirmation",
    operation_id="confirmTotp",
    summary="Let the authenticator count, by its first code",
    description=f"Answers with ten backup codes, which nobody can show again. {_OTHERS_END}",
    dependencies={"content": FromBody(TotpConfirmation)},
    status_code=HTTPStatus.OK,
    opt=described(raises=(StepUpRequired, FactorRefused, FactorNotFound, Conflict)),
)
async def confirm_totp_handler(
    actor: NamedDependency[Actor], content: NamedDependency[TotpConfirmation], confirm_totp: NamedDependency[ConfirmTotp]
) -> BackupCodesBody:
    return codes_body((await confirm_totp(actor, content.command())).backup_codes)


@delete(
    "/factors/totp",
    operation_id="removeTotp",
    summary="Take the authenticator away",
    description=f"Needs a second factor that was shown in the last five minutes. {_OTHERS_END}",
    opt=described(raises=(StepUpRequired, FactorNotFound, Conflict)),
)
async def remove_totp_handler(actor: NamedDependency[Actor], remove_totp: NamedDependency[RemoveTotp]) -> None:
    await remove_totp(actor, RemoveTotpCommand())


@post(
    "/factors/backup-codes",
    operation_id="regenerateBackupCodes",
    summary="Ten new backup codes",
    description="The old ones are dead. Needs a second factor that was shown in the last five minutes.",
    status_code=HTTPStatus.CREATED,
    opt=described(raises=(StepUpRequired, FactorNotFound, Conflict)),
)
async def regenerate_backup_codes_handler(
    actor: NamedDependency[Actor], regenerate_backup_codes: NamedDependency[RegenerateBackupCodes]
) -> BackupCodesBody:
    return codes_body(await regenerate_backup_codes(actor, RegenerateBackupCodesCommand()))


@get("/devices", operation_id="listTrustedDevices", summary="Devices that are not asked for the second factor")
async def list_trusted_devices_handler(
    actor: NamedDependency[Actor], list_trusted_devices: NamedDependency[ListTrustedDevices]
) -> TrustedDeviceList:
    return devices_body(await list_trusted_devices(actor, ListTrustedDevicesCommand()))


@delete(
    "/devices/{device_id:uuid}",
    operation_id="revokeTrustedDevice",
    summary="Have a device asked for the second factor again",
    opt=described(raises=(TrustedDeviceNotFound,)),
)
async def revoke_trusted_device_handler(
    device_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    revoke_trusted_device: NamedDependency[RevokeTrustedDevice],
) -> None:
    await revoke_trusted_device(actor, RevokeTrustedDeviceCommand(device_id=TrustedDeviceId(device_id)))


ROUTES = Router(
    "/account",
    route_handlers=[
        get_factors_handler,
        enrol_totp_handler,
        confirm_totp_handler,
        remove_totp_handler,
        regenerate_backup_codes_handler,
        list_trusted_devices_handler,
        revoke_trusted_device_handler,
    ],
    tags=["account"],
)
