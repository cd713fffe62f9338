"""The only composition root: which adapter serves which port, for every storage.

Providers import their adapter when they are first called, so that a command loads only what it uses. Nothing here is scoped to a
request, and nothing outside `entrypoints` sees the container.
"""

from __future__ import annotations

from dependency_injector import providers

from adapters.bridges.forecast_explainer import MlForecastExplainer
from entrypoints.container.auth import AuthUseCases
from entrypoints.container.identities import IdentityUseCases
from entrypoints.container.phones import PhoneUseCases
from entrypoints.container.ports import Ports
from tradingcore.ml.use_cases.explain_forecast import ExplainForecast
from tradingcore.ml.use_cases.forget_forecasts import ForgetForecasts
from tradingcore.ml.use_cases.list_models import GetModel, ListModels
from tradingcore.ml.use_cases.make_forecast import MakeForecast
from tradingcore.ml.use_cases.predict_on_demand import PredictOnDemand
from tradingcore.ml.use_cases.train_models import TrainModels
from tradingcore.notifications.use_cases.publish_to_stream import PublishToStream
from tradingcore.notifications.use_cases.send_mail import SendMail
from tradingcore.processes.when_candle_closed_make_forecast import WhenCandleClosedMakeForecast
from tradingcore.processes.when_candle_closed_publish import WhenCandleClosedPublish
from tradingcore.processes.when_forecast_made_decide import WhenForecastMadeDecide
from tradingcore.processes.when_forecast_not_made_decide import WhenForecastNotMadeDecide
from tradingcore.processes.when_mail_requested_send import WhenMailRequestedSend
from tradingcore.processes.when_sealed_request_answer import (
    WhenAddressChangeRequestedMail,
    WhenPasswordResetRequestedMail,
    WhenRegistrationRequestedOpenAccount,
    WhenVerificationRequestedMail,
)
from tradingcore.processes.when_signal_changed_publish import (
    SignalPublisher,
    WhenSeriesWentStalePublish,
    WhenSignalIssuedPublish,
    WhenSignalResolvedPublish,
)
from tradingcore.trading.use_cases.close_candle import CloseCandle
from tradingcore.trading.use_cases.decide_on_candle import DecideOnCandle
from tradingcore.trading.use_cases.explain_signal import ExplainSignal
from tradingcore.trading.use_cases.export_candles import ExportCandles
from tradingcore.trading.use_cases.find_gaps import FindGaps
from tradingcore.trading.use_cases.get_candles import GetCandles
from tradingcore.trading.use_cases.import_candles import ImportCandles
from tradingcore.trading.use_cases.list_series import ListSeries
from tradingcore.trading.use_cases.list_signals import GetSignal, ListDecisions, ListSignals
from tradingcore.trading.use_cases.list_symbols import ListSymbols
from tradingcore.trading.use_cases.rewind_series import RewindSeries
from tradingcore.trading.use_cases.set_symbol import AddSymbol, SetSymbol
from tradingcore.trading.use_cases.watch_freshness import WatchFreshness


class Container(PhoneUseCases, IdentityUseCases):
    """Giving ``storage_kind`` (memory or postgres), ``stream_kind`` (storage or redis) and, for postgres, ``engine``.

    ``engine`` belongs to the database role of the process, ``system_engine`` to the one that relays, which no API process has.
    """

    add_symbol = providers.Factory(AddSymbol, observer=Ports.observer, uow=Ports.trading_uow)
    set_symbol = providers.Factory(SetSymbol, observer=Ports.observer, uow=Ports.trading_uow)
    list_symbols = providers.Factory(ListSymbols, observer=Ports.observer, candles=Ports.candles, queries=Ports.trading_queries)
    import_candles = providers.Factory(ImportCandles, observer=Ports.observer, uow=Ports.trading_uow, candles=Ports.candles)
    export_candles = providers.Factory(ExportCandles, observer=Ports.observer, candles=Ports.candles, queries=Ports.trading_queries)
    find_gaps = providers.Factory(FindGaps, observer=Ports.observer, candles=Ports.candles, queries=Ports.trading_queries)
    get_candles = providers.Factory(GetCandles, observer=Ports.observer, candles=Ports.candles, queries=Ports.trading_queries)
    close_candle = providers.Factory(CloseCandle, observer=Ports.observer, uow=Ports.trading_uow)
    decide_on_candle = providers.Factory(DecideOnCandle, observer=Ports.observer, uow=Ports.trading_uow, ids=Ports.ids)
    watch_freshness = providers.Factory(
        WatchFreshness, observer=Ports.observer, uow=Ports.trading_uow, queries=Ports.trading_queries, clock=Ports.clock
    )
    rewind_series = providers.Factory(RewindSeries, observer=Ports.observer, uow=Ports.trading_uow)
    list_series = providers.Factory(ListSeries, observer=Ports.observer, queries=Ports.trading_queries)
    list_signals = providers.Factory(ListSignals, observer=Ports.observer, queries=Ports.trading_queries)
    get_signal = providers.Factory(GetSignal, observer=Ports.observer, queries=Ports.trading_queries)
    list_decisions = providers.Factory(ListDecisions, observer=Ports.observer, queries=Ports.trading_queries)

    train_models = providers.Factory(
        TrainModels,
        observer=Ports.observer,
        uow=Ports.ml_uow,
        history=Ports.history,
        trainer=Ports.trainer,
        blobs=Ports.blobs,
        clock=Ports.clock,
        ids=Ports.ids,
    )
    make_forecast = providers.Factory(
        MakeForecast,
        observer=Ports.observer,
        uow=Ports.ml_uow,
        history=Ports.history,
        features=Ports.features,
        models=Ports.models,
        clock=Ports.clock,
        ids=Ports.ids,
    )
    predict_on_demand = providers.Factory(
        PredictOnDemand,
        observer=Ports.observer,
        queries=Ports.ml_queries,
        history=Ports.history,
        features=Ports.features,
        models=Ports.models,
        clock=Ports.clock,
        ids=Ports.ids,
    )
    explain_forecast = providers.Factory(
        ExplainForecast,
        observer=Ports.observer,
        queries=Ports.ml_queries,
        history=Ports.history,
        features=Ports.features,
        models=Ports.models,
    )
    forget_forecasts = providers.Factory(ForgetForecasts, observer=Ports.observer, uow=Ports.ml_uow)
    list_models = providers.Factory(ListModels, observer=Ports.observer, queries=Ports.ml_queries)
    get_model = providers.Factory(GetModel, observer=Ports.observer, queries=Ports.ml_queries)
    forecast_explainer = providers.Factory(MlForecastExplainer, explain_forecast=explain_forecast, ids=Ports.ids)
    explain_signal = providers.Factory(
        ExplainSignal, observer=Ports.observer, queries=Ports.trading_queries, forecasts=forecast_explainer
    )

    publish_to_stream = providers.Factory(PublishToStream, observer=Ports.observer, log=Ports.stream_log)

    send_mail = providers.Factory(
        SendMail, observer=Ports.observer, composer=Ports.mail_composer, sender=Ports.mail_sender, clock=Ports.clock
    )

    publish_signal = providers.Factory(SignalPublisher, get_signal=get_signal, publish=publish_to_stream)
    reactions = providers.List(
        providers.Factory(WhenCandleClosedMakeForecast, make_forecast=make_forecast),
        providers.Factory(WhenCandleClosedPublish, publish=publish_to_stream),
        providers.Factory(WhenForecastMadeDecide, decide_on_candle=decide_on_candle),
        providers.Factory(WhenForecastNotMadeDecide, decide_on_candle=decide_on_candle),
        providers.Factory(WhenSignalIssuedPublish, publish_signal=publish_signal),
        providers.Factory(WhenSignalResolvedPublish, publish_signal=publish_signal),
        providers.Factory(WhenSeriesWentStalePublish, publish=publish_to_stream),
        providers.Factory(WhenRegistrationRequestedOpenAccount, open_account=AuthUseCases.open_account),
        providers.Factory(WhenVerificationRequestedMail, mail_verification=AuthUseCases.mail_address_verification),
        providers.Factory(WhenPasswordResetRequestedMail, mail_reset=AuthUseCases.mail_password_reset),
        providers.Factory(WhenAddressChangeRequestedMail, mail_change=AuthUseCases.mail_address_change),
        providers.Factory(WhenMailRequestedSend, sealer=Ports.purpose_sealer, send_mail=send_mail),
    )
