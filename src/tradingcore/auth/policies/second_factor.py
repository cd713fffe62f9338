"""Who must show a second factor, whatever they would like."""

from __future__ import annotations

from dataclasses import dataclass

from tradingcore.auth.model.totp import PREVIOUS_STEPS
from tradingcore.kernel.authz import Assurance, Role
from tradingcore.kernel.permissions import STAFF


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorPolicy:
    """``required_for``: roles that may do nothing before a second factor was shown in their session.

    ``totp_previous_steps`` is how many steps of 30 seconds before the current one count: 1, or 0 to read ASVS 6.5.5 strictly.
    """

    required_for: frozenset[Role] = STAFF
    totp_previous_steps: int = PREVIOUS_STEPS

    def requires(self, roles: frozenset[Role]) -> bool:
        return bool(self.required_for & roles)

    def trusts_devices(self, roles: frozenset[Role]) -> bool:
        """Whether a trusted device may stand in for the factor: not where the factor is required."""
        return not self.requires(roles)

    def restriction(self, roles: frozenset[Role], assurance: Assurance) -> str | None:
        """Why a session of these roles may only look after its own account for now, or ``None`` when it may act."""
        if self.requires(roles) and assurance < Assurance.AAL2:
            return "your role needs a second factor: set one up or prove it, then repeat the call"
        return None
