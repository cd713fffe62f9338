"""The stream log: gapless offsets per topic, kept for a while, followed through NOTIFY."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    """
    create table public.stream_epoch (
        id smallint primary key check (id = 1),
        epoch text not null
    )
    """,
    "insert into public.stream_epoch values (1, replace(gen_random_uuid()::text, '-', ''))",
    """
    create table public.stream_topics (
        topic text primary key,
        last_offset bigint not null check (last_offset >= 0)
    )
    """,
    """
    create table public.stream_entries (
        topic text not null,
        "offset" bigint not null,
        event_id uuid not null,
        message text not null,
        published_at timestamptz not null default clock_timestamp(),
        primary key (topic, "offset"),
        unique (topic, event_id)
    )
    """,
    # The lock on the topic's row is held until the commit: offsets are given in commit order, and what is looked up after it was
    # taken is what the publishers before have committed. Topics are taken in one order, so that two batches cannot wait for each
    # other in a circle. A notification must stay under 8,000 bytes; a larger entry is only announced.
    """
    create function public.stream_publish(messages json) returns table (place bigint, at_epoch text, at_offset bigint)
    language plpgsql set search_path = pg_catalog, pg_temp as $$
    declare
        item record;
        newest bigint;
        announcement text;
    begin
        for item in
            select m.value ->> 'topic' as topic, (m.value ->> 'event')::uuid as event, m.value ->> 'text' as message, m.ordinality
            from json_array_elements(messages) with ordinality m
            order by 1, 4
        loop
            select t.last_offset into newest from public.stream_topics t where t.topic = item.topic for update;
            if not found then
                insert into public.stream_topics values (item.topic, 0) on conflict do nothing;
                select t.last_offset into newest from public.stream_topics t where t.topic = item.topic for update;
            end if;
            select e.epoch into at_epoch from public.stream_epoch e;
            select s."offset" into at_offset from public.stream_entries s where s.topic = item.topic and s.event_id = item.event;
            if not found then
                at_offset := newest + 1;
                insert into public.stream_entries (topic, "offset", event_id, message)
                values (item.topic, at_offset, item.event, item.message);
                update public.stream_topics t set last_offset = at_offset where t.topic = item.topic;
                announcement := concat_ws(E'\\n', at_epoch, at_offset, item.topic);
                if octet_length(announcement) + octet_length(item.message) < 7500 then
                    announcement := concat_ws(E'\\n', announcement, item.message);
                end if;
                perform pg_notify('tradingcore_stream', announcement);
            end if;
            place := item.ordinality;
            return next;
        end loop;
    end
    $$
    """,
    # For a database that was restored from a backup: readers must not take its offsets for those that they have seen.
    """
    create function public.stream_start_over() returns void
    language sql set search_path = pg_catalog, pg_temp as $$
        truncate public.stream_entries, public.stream_topics;
        update public.stream_epoch set epoch = replace(gen_random_uuid()::text, '-', '');
    $$
    """,
    "grant select on public.stream_epoch, public.stream_topics, public.stream_entries to tc_api, tc_worker",
    "grant insert, update on public.stream_topics to tc_worker",
    "grant insert, delete on public.stream_entries to tc_worker",
    "grant execute on function public.stream_publish(json) to tc_worker",
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
