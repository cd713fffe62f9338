"""Attempts that were counted: what stands in for Redis, or serves where there is none.

A row is nobody's. Whoever knows the keyed hash of a subject sees its counter; everybody may sweep what has expired. Unlogged: a
crash of the server forgets attempts, which spares an attacker one wait.
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

_NAMED = """key = any (array(
    select decode(named, 'hex') from unnest(string_to_array((select current_setting('app.throttle_keys', true)), ',')) named))"""
_EXPIRED = "expires_at < (select now())"
_ROLES = "tc_api, tc_worker"

# Locks are taken in one order, so that two attempts cannot wait for each other in a circle, and before the clock is read, so that
# times are given in the order of the commits.
_LOCK = """
        perform set_config('app.throttle_keys', string_agg(named ->> 'key', ','), true) from json_array_elements(attempt) named;
        perform pg_advisory_xact_lock(lock) from (
            select distinct hashtextextended(named ->> 'key', 7361004) as lock from json_array_elements(attempt) named order by 1
        ) locks;
"""

_STATEMENTS: tuple[str, ...] = (
    """
    create unlogged table public.throttle_counters (
        key bytea primary key check (octet_length(key) = 32),
        hits bigint[] not null,
        expires_at timestamptz not null
    ) with (fillfactor = 70)
    """,
    "create index throttle_counters_expires_at on public.throttle_counters (expires_at)",
    "alter table public.throttle_counters enable row level security",
    "alter table public.throttle_counters force row level security",
    f"create policy reads on public.throttle_counters for select to {_ROLES} using ({_NAMED} or {_EXPIRED})",
    f"create policy starts on public.throttle_counters for insert to {_ROLES} with check ({_NAMED})",
    f"create policy counts on public.throttle_counters for update to {_ROLES} using ({_NAMED} or {_EXPIRED}) with check ({_NAMED})",
    f"create policy forgets on public.throttle_counters for delete to {_ROLES} using ({_NAMED} or {_EXPIRED})",
    f"grant select, insert, update (hits, expires_at), delete on public.throttle_counters to {_ROLES}",
    # Times are microseconds since 1970. A wait that is null means that the attempt was counted.
    f"""
    create function public.throttle_reserve(attempt json, out reservation bigint, out is_challenged boolean, out wait bigint)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
    declare
        buckets record;
    begin
        {_LOCK}
        with given as (
            select decode(g.key, 'hex') as key, g."limit", g."window", g.in_a_row, g.asks
            from json_to_recordset(attempt) as g (key text, "limit" integer, "window" bigint, in_a_row boolean, asks boolean)
        ), found as (
            select g.*, coalesce(c.hits, array[]::bigint[]) as hits
            from given g left join public.throttle_counters c on c.key = g.key
        ), moment as (
            -- No two reservations of a counter have one time, whatever the clock does: the time is what a refund names.
            select greatest((extract(epoch from clock_timestamp()) * 1000000)::bigint, 1 + max(f.hits[cardinality(f.hits)])) as at
            from found f
        ), live as (
            select f.*, m.at, case
                when not f.in_a_row then array(select hit from unnest(f.hits) hit where hit > m.at - f."window" order by hit)
                when f.hits[cardinality(f.hits)] > m.at - f."window" then f.hits
                else array[]::bigint[]
            end as kept
            from found f, moment m
        )
        select array_agg(l.key) as keys, array_agg(l.at) as times, max(l.at) as at,
            coalesce(bool_or(l.asks and cardinality(l.kept) >= l."limit"), false) as is_challenged,
            max(case when l.in_a_row then l.kept[cardinality(l.kept)] else l.kept[cardinality(l.kept) - l."limit" + 1] end
                + l."window" - l.at) filter (where not l.asks and cardinality(l.kept) >= l."limit") as wait,
            json_agg(json_build_object('key', encode(l.key, 'hex'), 'hits', l.kept || l.at, 'ends', l.at + l."window"))
                filter (where cardinality(l.kept) < l."limit") as counted
        into buckets from live l;
        reservation := buckets.at;
        is_challenged := buckets.is_challenged;
        wait := buckets.wait;
        if wait is not null then
            return;
        end if;
        insert into public.throttle_counters (key, hits, expires_at)
        select decode(n.key, 'hex'), n.hits, to_timestamp(n.ends / 1000000.0)
        from json_to_recordset(coalesce(buckets.counted, '[]')) as n (key text, hits bigint[], ends bigint)
        on conflict (key) do update set hits = excluded.hits, expires_at = excluded.expires_at;
        -- Last, and of rows that nobody holds: it waits for nobody.
        delete from public.throttle_counters where key = any (array(
            select c.key from public.throttle_counters c where c.expires_at < now() limit 8 for update skip locked));
    end
    $$
    """,  # noqa: S608 - constants
    f"""
    create function public.throttle_release(attempt json, reservation bigint) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
    begin
        {_LOCK}
        if reservation is null then
            delete from public.throttle_counters
            where key = any (array(select decode(named ->> 'key', 'hex') from json_array_elements(attempt) named));
        else
            update public.throttle_counters set hits = array_remove(hits, reservation)
            where key = any (array(select decode(named ->> 'key', 'hex') from json_array_elements(attempt) named));
        end if;
    end
    $$
    """,  # noqa: S608 - likewise
    f"grant execute on function public.throttle_reserve(json), public.throttle_release(json, bigint) to {_ROLES}",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
