from __future__ import annotations

from typing import Literal

from entrypoints.http.schemas.values import Response


class HealthBody(Response):
    """``checks`` names what was looked at and what came out; it is empty where nothing is looked at."""

    status: Literal["ok"]
    checks: dict[str, str]
