"""The phone number of an account, and what the provider reports about the codes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl
from uuid import UUID

from litestar import Request, Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http.inputs import FromBody
from entrypoints.http.openapi import described
from entrypoints.http.peer import Peer
from entrypoints.http.problems import Refused
from entrypoints.http.rendering.phones import phone_body, proof_body
from entrypoints.http.schemas.phones import PhoneBody, PhoneConfirmation, PhoneProofBody, PhoneProofRequest
from tradingcore.auth.errors import AddressNotVerified, CodeRefused, PhoneNotFound, PhoneRefused, PhoneUnavailable
from tradingcore.auth.ids import PhoneProofId
from tradingcore.auth.use_cases.manage_phones import (
    ConfirmPhone,
    ConfirmPhoneCommand,
    GetPhone,
    GetPhoneCommand,
    RemovePhone,
    RemovePhoneCommand,
    StartPhoneProof,
)
from tradingcore.auth.use_cases.record_phone_delivery import RecordPhoneDelivery, RecordPhoneDeliveryCommand
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import Conflict, StepUpRequired

LARGEST_REPORT: Final = 16 * 1024
MOST_FIELDS: Final = 64


@get(
    "",
    operation_id="getPhone",
    summary="The proven phone number of your account",
    opt=described(raises=(PhoneNotFound,)),
)
async def get_phone_handler(actor: NamedDependency[Actor], get_phone: NamedDependency[GetPhone]) -> PhoneBody:
    return phone_body(await get_phone(actor, GetPhoneCommand()))


@delete(
    "",
    operation_id="removePhone",
    summary="Forget your phone number",
    description="Needs a recent sign-in.",
    opt=described(raises=(PhoneNotFound, StepUpRequired, Conflict)),
)
async def remove_phone_handler(actor: NamedDependency[Actor], remove_phone: NamedDependency[RemovePhone]) -> None:
    await remove_phone(actor, RemovePhoneCommand())


@post(
    "/proofs",
    operation_id="startPhoneProof",
    summary="Send a code to a phone number",
    description="By SMS or WhatsApp, to mobile numbers of the countries that are served. Needs a recent sign-in and a confirmed "
    "mail address. An earlier proof ends.",
    status_code=HTTPStatus.ACCEPTED,
    dependencies={"content": FromBody(PhoneProofRequest)},
    opt=described(raises=(PhoneRefused, AddressNotVerified, PhoneUnavailable, StepUpRequired, Conflict)),
)
async def start_phone_proof_handler(
    actor: NamedDependency[Actor],
    peer: NamedDependency[Peer],
    content: NamedDependency[PhoneProofRequest],
    start_phone_proof: NamedDependency[StartPhoneProof],
) -> PhoneProofBody:
    return proof_body(await start_phone_proof(actor, content.command(peer.network)))


@post(
    "/proofs/{proof_id:uuid}/confirmation",
    operation_id="confirmPhone",
    summary="Prove the number with the code",
    description="Five attempts, in the session that asked for the code, within ten minutes.",
    status_code=HTTPStatus.OK,
    dependencies={"content": FromBody(PhoneConfirmation)},
    opt=described(raises=(CodeRefused, Conflict)),
)
async def confirm_phone_handler(
    proof_id: FromPath[UUID],
    actor: NamedDependency[Actor],
    content: NamedDependency[PhoneConfirmation],
    confirm_phone: NamedDependency[ConfirmPhone],
) -> PhoneBody:
    command = ConfirmPhoneCommand(proof_id=PhoneProofId(proof_id), code=content.code)
    return phone_body(await confirm_phone(actor, command))


@post(
    "/webhooks/twilio/status",
    include_in_schema=False,
    status_code=HTTPStatus.NO_CONTENT,
    opt=described(is_open=True),
)
async def twilio_status_handler(
    request: Request[Any, Any, Any], actor: NamedDependency[Actor], record_phone_delivery: NamedDependency[RecordPhoneDelivery]
) -> None:
    form = _form(await request.body())
    signature = request.headers.get("x-twilio-signature", "")
    await record_phone_delivery(actor, RecordPhoneDeliveryCommand(form=form, signature=signature))


def _form(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body[: LARGEST_REPORT + 1].decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=MOST_FIELDS
        )
    except ValueError:  # the form, its encoding, or too many fields
        pairs = []
    form = dict(pairs)
    if len(body) > LARGEST_REPORT or len(form) != len(pairs) or not form:
        raise Refused(HTTPStatus.BAD_REQUEST, "bad_request", "send the report as a form whose fields have names of their own")
    return form


ROUTES = Router(
    "/account/phone",
    route_handlers=[get_phone_handler, remove_phone_handler, start_phone_proof_handler, confirm_phone_handler],
    tags=["account"],
)
WEBHOOK_ROUTES = Router("/", route_handlers=[twilio_status_handler], tags=["account"])
