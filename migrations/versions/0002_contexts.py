"""Tables of the contexts trading, ml and auth, and the outbox.

Prices and other decimals are numeric, market data and scores double precision. Values that are stored whole are json, not jsonb:
jsonb would turn -0.0 into 0.0, and a stored forecast has to come back bit for bit. Candles have no foreign key to their symbol: it
would double the time of an import, and no role may delete a symbol.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

_TIMEFRAME = "timeframe text not null check (timeframe in ('1m', '5m', '15m', '1h', '4h', '1d', '1w'))"
_ME = "(select nullif(current_setting('app.user_id', true), '')::uuid)"
_KEY_IN_HAND = "(select nullif(current_setting('app.api_key_id', true), '')::uuid)"
_HOLDER = f"select user_id from public.api_keys where id = {_KEY_IN_HAND}"  # noqa: S608 - a constant
_TICKET_IN_HAND = "(select decode(nullif(current_setting('app.ticket_hash', true), ''), 'hex'))"
_MINE = f"user_id = {_ME}"
_TICKET = f"ticket_hash = {_TICKET_IN_HAND} or {_MINE}"
_IS_PLATFORM = "(select 'system' = any (string_to_array(current_setting('app.scopes', true), ',')))"

_TRADING = (
    """
    create table trading.symbols (
        id integer generated always as identity primary key,
        version bigint not null,
        code text not null unique,
        asset_class text not null check (asset_class in ('crypto', 'fx', 'metal', 'equity', 'index')),
        base text not null,
        quote text not null,
        price_tick numeric not null check (price_tick > 0 and price_tick < 'infinity'),
        quantity_step numeric not null check (quantity_step > 0 and quantity_step < 'infinity'),
        minimum_notional numeric not null,
        half_spread numeric not null check (half_spread >= 0 and half_spread < 'infinity'),
        half_spread_unit text not null check (half_spread_unit in ('bp', 'price')),
        fee numeric not null check (fee >= 0 and fee < 'infinity'),
        fee_unit text not null check (fee_unit in ('bp', 'price')),
        slippage numeric not null check (slippage >= 0 and slippage < 'infinity'),
        slippage_unit text not null check (slippage_unit in ('bp', 'price')),
        calendar text not null check (calendar in ('24/7', 'fx-week', 'metal-week', 'us-equity')),
        minimum_risk_reward numeric not null,
        minimum_expected_value_r numeric not null
    )
    """,
    f"""
    create table trading.candles (
        symbol_id integer not null,
        {_TIMEFRAME},
        open_time timestamptz not null,
        open double precision not null,
        high double precision not null,
        low double precision not null,
        close double precision not null,
        volume double precision not null,
        primary key (symbol_id, timeframe, open_time),
        check (low > 0 and low <= least(open, close) and high >= greatest(open, close) and high < 'infinity'
               and volume >= 0 and volume < 'infinity')
    )
    """,
    """
    create unlogged table trading.candle_staging (
        position integer not null,
        open_time timestamptz not null,
        open double precision not null,
        high double precision not null,
        low double precision not null,
        close double precision not null,
        volume double precision not null
    )
    """,
    f"""
    create table trading.live_series (
        symbol text not null,
        {_TIMEFRAME},
        version bigint not null,
        source text not null,
        last_closed timestamptz,
        freshness text not null check (freshness in ('fresh', 'stale')),
        primary key (symbol, timeframe)
    )
    """,
    f"""
    create table trading.signals (
        id uuid primary key,
        version bigint not null,
        symbol text not null,
        {_TIMEFRAME},
        issued_at timestamptz not null,
        decision_candle timestamptz not null,
        side text not null check (side in ('long', 'short')),
        entry numeric not null,
        take_profit numeric not null,
        stop_loss numeric not null,
        risk_reward numeric not null,
        probability double precision not null check (probability >= 0 and probability <= 1),
        p_stop_loss double precision not null check (p_stop_loss >= 0 and p_stop_loss <= 1),
        p_time double precision not null check (p_time >= 0 and p_time <= 1),
        expected_value_r double precision not null,
        cost double precision not null,
        horizon integer not null check (horizon > 0),
        predicted_high numeric not null,
        predicted_high_low numeric not null,
        predicted_high_high numeric not null,
        predicted_low numeric not null,
        predicted_low_low numeric not null,
        predicted_low_high numeric not null,
        interval_level double precision not null check (interval_level > 0 and interval_level < 1),
        interval_coverage double precision not null check (interval_coverage >= 0 and interval_coverage <= 1),
        sample_size integer not null check (sample_size >= 0),
        expires_at timestamptz not null,
        model_version_id uuid not null,
        model_version text not null,
        forecast_id uuid not null,
        feature_hash text not null,
        data_first timestamptz not null,
        data_last timestamptz not null check (data_last >= data_first),
        trace_id text not null,
        is_simulated boolean not null,
        terms json not null,
        edge_status text not null check (edge_status in ('unverified', 'verified', 'revoked')),
        status text not null check (status in ('active', 'take_profit', 'stop_loss', 'expired', 'cancelled')),
        fill_price double precision,
        candles_seen integer not null check (candles_seen >= 0),
        last_candle timestamptz,
        outcome_r double precision,
        closed_at timestamptz,
        unique (symbol, timeframe, decision_candle, model_version_id),
        check ((side = 'long' and stop_loss < entry and entry < take_profit)
               or (side = 'short' and take_profit < entry and entry < stop_loss)),
        check ((status = 'active') = (closed_at is null))
    )
    """,
    "create index signals_issued_at on trading.signals (issued_at, id)",
    "create index signals_series_issued_at on trading.signals (symbol, timeframe, issued_at, id)",
    "create index signals_active on trading.signals (symbol, timeframe) where status = 'active'",
    f"""
    create table trading.decisions (
        id uuid primary key,
        version bigint not null,
        symbol text not null,
        {_TIMEFRAME},
        candle timestamptz not null,
        decided_at timestamptz not null,
        reason text not null check (reason in (
            'signal', 'no_edge_after_costs', 'risk_reward_too_low', 'stop_too_close', 'out_of_distribution', 'stale_data',
            'missing_candles', 'not_enough_history', 'model_not_approved', 'model_unusable')),
        detail text not null,
        trace_id text not null,
        forecast_id uuid,
        signal_id uuid,
        expected_value_r double precision,
        unique (symbol, timeframe, candle),
        check ((reason = 'signal') = (signal_id is not null))
    )
    """,
    "create index decisions_decided_at on trading.decisions (decided_at, id)",
    "create index decisions_series_decided_at on trading.decisions (symbol, timeframe, decided_at, id)",
)

_ML = (
    f"""
    create table ml.models (
        id uuid primary key,
        version bigint not null,
        symbol text not null,
        {_TIMEFRAME},
        horizon integer not null check (horizon > 0),
        created_at timestamptz not null,
        unique (symbol, timeframe, horizon)
    )
    """,
    "create index models_created_at on ml.models (created_at, id)",
    f"""
    create table ml.model_versions (
        id uuid primary key,
        version bigint not null,
        model_id uuid not null references ml.models,
        symbol text not null,
        {_TIMEFRAME},
        horizon integer not null check (horizon > 0),
        number integer not null check (number > 0),
        created_at timestamptz not null,
        bundle_sha256 text not null check (bundle_sha256 ~ '^[0-9a-f]{{64}}$'),
        feature_spec_hash text not null,
        feature_names text[] not null,
        data_hash text not null,
        data_first timestamptz not null,
        data_last timestamptz not null check (data_last >= data_first),
        code_version text not null,
        seed bigint not null,
        profile text not null,
        evaluation json not null,
        folds json not null,
        state text not null check (state in ('trained', 'retired')),
        unique (model_id, number)
    )
    """,
    """
    create table ml.aliases (
        model_id uuid not null references ml.models,
        name text not null check (name = 'champion'),
        version_id uuid not null references ml.model_versions,
        changed_by text not null,
        changed_at timestamptz not null default now(),
        primary key (model_id, name)
    )
    """,
    "create index aliases_version_id on ml.aliases (version_id)",
    """
    create table ml.alias_history (
        id bigint generated always as identity primary key,
        model_id uuid not null references ml.models,
        name text not null,
        version_id uuid references ml.model_versions,
        changed_by text not null,
        changed_at timestamptz not null default now()
    )
    """,
    "create index alias_history_model_id on ml.alias_history (model_id)",
    "create index alias_history_version_id on ml.alias_history (version_id)",
    f"""
    create table ml.forecasts (
        id uuid primary key,
        version bigint not null,
        symbol text not null,
        {_TIMEFRAME},
        candle timestamptz not null,
        made_at timestamptz not null,
        close double precision not null check (close > 0 and close < 'infinity'),
        atr double precision not null check (atr >= 0 and atr < 'infinity'),
        feature_hash text not null,
        data_first timestamptz not null,
        data_last timestamptz not null check (data_last >= data_first),
        horizons json not null,
        rows bytea[] not null,
        trace_id text not null,
        unique (symbol, timeframe, candle)
    )
    """,
)

_OUTBOX = (
    """
    create table public.outbox (
        sequence bigint generated always as identity primary key,
        id uuid not null unique,
        ordering_key text not null,
        type text not null,
        payload json not null,
        trace_id text not null,
        committed_at timestamptz not null,
        attempts integer not null default 0 check (attempts >= 0),
        token bigint not null default 0,
        free_at timestamptz,
        error text
    ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)
    """,
    "create unique index outbox_oldest on public.outbox (ordering_key, sequence)",
    """
    create table public.inbox (
        handler text not null,
        event_id uuid not null,
        handled_at timestamptz not null default now(),
        primary key (handler, event_id)
    )
    """,
    "create index inbox_handled_at on public.inbox (handled_at)",
    """
    create table public.dead_letters (
        id uuid primary key,
        ordering_key text not null,
        type text not null,
        payload json not null,
        trace_id text not null,
        attempts integer not null,
        error text not null,
        parked_at timestamptz not null
    )
    """,
    "create index dead_letters_parked_at on public.dead_letters (parked_at, id)",
)

_AUTH = (
    """
    create table public.service_users (
        id uuid primary key,
        name text not null,
        roles text[] not null check (roles <@ array['student', 'investor', 'trader', 'admin', 'superadmin']),
        plan text not null check (plan in ('free', 'basic', 'pro', 'enterprise')),
        created_at timestamptz not null
    )
    """,
    """
    create table public.api_keys (
        id uuid primary key,
        version bigint not null,
        user_id uuid not null references public.service_users,
        name text not null check (length(name) between 1 and 80),
        secret_hash bytea not null check (octet_length(secret_hash) = 32),
        scopes text[],
        created_at timestamptz not null,
        expires_at timestamptz not null check (expires_at > created_at),
        revoked_at timestamptz
    )
    """,
    "create index api_keys_user_id on public.api_keys (user_id)",
    """
    create table public.stream_tickets (
        ticket_hash bytea primary key check (octet_length(ticket_hash) = 32),
        user_id uuid not null,
        holder json not null,
        expires_at timestamptz not null
    )
    """,
    "create index stream_tickets_user_id on public.stream_tickets (user_id)",
    *(
        f"alter table public.{table} {verb} row level security"
        for table in ("service_users", "api_keys", "stream_tickets")
        for verb in ("enable", "force")
    ),
    # Whoever authenticates names one key and sees one key; a user sees the own ones.
    f"create policy api_reads on public.api_keys for select to tc_api using ({_MINE} or id = {_KEY_IN_HAND})",
    f"create policy api_changes on public.api_keys for update to tc_api using ({_MINE}) with check ({_MINE})",
    f"create policy platform on public.api_keys for all to tc_worker using ({_IS_PLATFORM}) with check ({_IS_PLATFORM})",
    f"create policy api_reads on public.service_users for select to tc_api using (id = {_ME} or id = any (array({_HOLDER})))",
    f"create policy platform on public.service_users for all to tc_worker using ({_IS_PLATFORM}) with check ({_IS_PLATFORM})",
    f"create policy api_reads on public.stream_tickets for select to tc_api using ({_TICKET})",
    f"create policy api_issues on public.stream_tickets for insert to tc_api with check ({_MINE})",
    f"create policy api_takes on public.stream_tickets for delete to tc_api using ({_TICKET})",
)

_GRANTS = (
    "grant select on trading.symbols, trading.candles, trading.live_series to tc_api, tc_worker",
    "grant select on trading.signals, trading.decisions to tc_api, tc_worker",
    "grant insert, update on trading.symbols, trading.candles, trading.live_series, trading.signals to tc_worker",
    "grant insert on trading.decisions to tc_worker",
    "grant delete on trading.signals, trading.decisions to tc_worker",
    "grant select, insert, delete on trading.candle_staging to tc_worker",
    "grant select on ml.models, ml.model_versions, ml.aliases, ml.forecasts to tc_api, tc_worker",
    "grant insert, update on ml.models to tc_worker",
    "grant insert on ml.model_versions, ml.alias_history to tc_worker",
    "grant insert, update, delete on ml.aliases to tc_worker",
    "grant insert, delete on ml.forecasts to tc_worker",
    "grant select, insert, update, delete on public.outbox to tc_system",
    "grant select, insert, delete on public.dead_letters to tc_system",
    "grant select (handled_at), delete on public.inbox to tc_system",
    "grant insert on public.outbox, public.inbox to tc_worker",
    "grant select on public.inbox to tc_worker",
    "grant select, insert, update on public.api_keys, public.service_users to tc_worker",
    "grant select, update (version, revoked_at) on public.api_keys to tc_api",
    "grant select on public.service_users to tc_api",
    "grant select, insert, delete on public.stream_tickets to tc_api",
)


def upgrade() -> None:
    for statement in (*_TRADING, *_ML, *_OUTBOX, *_AUTH, *_GRANTS):
        op.execute(statement)
