"""Nobody gives rights to the own account: who may write its row may not add a role, raise its plan or lift its suspension."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def _lacks(*scopes: str) -> str:
    wanted = ", ".join(f"'{scope}'" for scope in scopes)
    return f"not coalesce(string_to_array(current_setting('app.scopes', true), ',') && array[{wanted}], false)"


_LACKS_ROLES = _lacks("roles:manage", "system")
_LACKS_USERS = _lacks("users:manage", "system")

# Policies see one row, the old or the new; a trigger sees both.
_STATEMENTS = (
    """
    create function public.refuse_rights() returns trigger language plpgsql set search_path = '' as $$
    begin
        raise exception 'the caller gives rights that it may not give' using errcode = 'insufficient_privilege';
    end $$
    """,
    f"""
    create trigger rights_at_first before insert on public.user_accounts for each row
    when (current_user = 'tc_api' and {_LACKS_ROLES} and (new.roles <> array['investor'] or new.plan <> 'free'))
    execute function public.refuse_rights()
    """,
    f"""
    create trigger rights_given before update on public.user_accounts for each row
    when (current_user = 'tc_api' and {_LACKS_ROLES}
          and not (new.roles <@ (old.roles || array['investor']) and new.plan in (old.plan, 'free')))
    execute function public.refuse_rights()
    """,
    f"""
    create trigger suspension_lifted before update on public.user_accounts for each row
    when (current_user = 'tc_api' and {_LACKS_USERS}
          and old.status in ('frozen', 'closed') and new.status not in (old.status, 'closed'))
    execute function public.refuse_rights()
    """,
)


def upgrade() -> None:
    for statement in _STATEMENTS:
        op.execute(statement)
