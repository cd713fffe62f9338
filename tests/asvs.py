"""Ties a test to what it proves: ``@asvs("6.5.1")`` names requirements of OWASP ASVS 5.0, which the checker looks for."""

from __future__ import annotations

import pytest


def asvs(*ids: str) -> pytest.MarkDecorator:
    return pytest.mark.asvs(*ids)
