from __future__ import annotations

from uuid import UUID

from litestar import Router, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http.inputs import FromBody
from entrypoints.http.openapi import described
from entrypoints.http.rendering.keys import key_body, key_fields
from entrypoints.http.schemas.keys import ApiKeyList, ApiKeyRequest, CreatedApiKeyBody
from tradingcore.auth.errors import ApiKeyNotFound
from tradingcore.auth.ids import ApiKeyId
from tradingcore.auth.use_cases.manage_api_keys import (
    CreateOwnApiKey,
    ListOwnApiKeys,
    ListOwnApiKeysCommand,
    RevokeApiKeyCommand,
    RevokeOwnApiKey,
)
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import RuleViolation, StepUpRequired


@get("", operation_id="listApiKeys", summary="Your API keys, newest first")
async def list_keys_handler(actor: NamedDependency[Actor], list_own_api_keys: NamedDependency[ListOwnApiKeys]) -> ApiKeyList:
    return ApiKeyList(data=[key_body(key) for key in await list_own_api_keys(actor, ListOwnApiKeysCommand())])


@post(
    "",
    operation_id="createApiKey",
    summary="Make an API key that acts for you",
    description="It may at most what your role and plan give at each use, and never touch credentials. The token is shown once.",
    dependencies={"content": FromBody(ApiKeyRequest)},
    opt=described(raises=(StepUpRequired, RuleViolation)),
)
async def create_key_handler(
    actor: NamedDependency[Actor],
    content: NamedDependency[ApiKeyRequest],
    create_own_api_key: NamedDependency[CreateOwnApiKey],
) -> CreatedApiKeyBody:
    created = await create_own_api_key(actor, content.command())
    return CreatedApiKeyBody(**key_fields(created.key), token=created.token)


@delete("/{key_id:uuid}", operation_id="revokeApiKey", summary="End an API key at once", opt=described(raises=(ApiKeyNotFound,)))
async def revoke_key_handler(
    key_id: FromPath[UUID], actor: NamedDependency[Actor], revoke_own_api_key: NamedDependency[RevokeOwnApiKey]
) -> None:
    await revoke_own_api_key(actor, RevokeApiKeyCommand(key_id=ApiKeyId(key_id)))


ROUTES = Router("/account/keys", route_handlers=[list_keys_handler, create_key_handler, revoke_key_handler], tags=["account"])
