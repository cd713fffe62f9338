from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from entrypoints.http.conditional import with_etag
from entrypoints.http.inputs import FromBody, FromQuery
from entrypoints.http.openapi import described
from entrypoints.http.pages import Paging
from entrypoints.http.rendering.ml import model_body, model_detail_body, prediction_body
from entrypoints.http.schemas.ml import ModelDetailBody, ModelPage, ModelQuery, PredictionBody, PredictionRequest
from tradingcore.kernel.authz import Actor
from tradingcore.kernel.errors import NotFound
from tradingcore.ml.errors import BundleRefused, HorizonNotServed, ModelNotFound, NotEnoughHistory
from tradingcore.ml.ids import ModelId
from tradingcore.ml.use_cases.list_models import GetModel, GetModelCommand, ListModels, ListModelsCommand
from tradingcore.ml.use_cases.predict_on_demand import PredictOnDemand


@get(
    "/models",
    operation_id="listModels",
    summary="Models with the version that serves and what it beats, newest first",
    description="`skill` is measured out of sample against every baseline; `verdict.sentence` says in words what it amounts to.",
    dependencies={"parameters": FromQuery(ModelQuery)},
)
async def list_models_handler(
    actor: NamedDependency[Actor],
    parameters: NamedDependency[ModelQuery],
    paging: NamedDependency[Paging],
    list_models: NamedDependency[ListModels],
) -> Response[ModelPage]:
    page = await list_models(actor, ListModelsCommand(key=parameters.series_key(), page=paging.request(parameters)))
    return paging.answer(parameters, page, lambda views, info: ModelPage(data=[model_body(view) for view in views], page=info))


@get(
    "/models/{model_id:uuid}",
    operation_id="getModel",
    summary="One model with all its versions: metrics, baselines, features, spans",
    opt=described(raises=(ModelNotFound,), is_cacheable=True),
)
async def get_model_handler(
    request: Request[Any, Any, Any], model_id: FromPath[UUID], actor: NamedDependency[Actor], get_model: NamedDependency[GetModel]
) -> Response[ModelDetailBody]:
    view = await get_model(actor, GetModelCommand(model_id=ModelId(model_id)))
    return with_etag(request, model_detail_body(view))


@post(
    "/predictions",
    operation_id="predict",
    summary="The forecast of one closed candle",
    description="The stored forecast of that candle if there is one, else one that is computed now and not stored.",
    dependencies={"content": FromBody(PredictionRequest)},
    status_code=HTTPStatus.OK,
    opt=described(raises=(NotFound, ModelNotFound, HorizonNotServed, NotEnoughHistory, BundleRefused)),
)
async def predict_handler(
    actor: NamedDependency[Actor], content: NamedDependency[PredictionRequest], predict_on_demand: NamedDependency[PredictOnDemand]
) -> PredictionBody:
    return prediction_body(await predict_on_demand(actor, content.command()), horizon=content.horizon)


ROUTES = Router("/ml", route_handlers=[list_models_handler, get_model_handler, predict_handler], tags=["ml"])
