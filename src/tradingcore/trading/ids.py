from typing import NewType
from uuid import UUID

SignalId = NewType("SignalId", UUID)
DecisionId = NewType("DecisionId", UUID)
ForecastRef = NewType("ForecastRef", UUID)
"""A forecast of another context, known here by its id only."""
ModelVersionRef = NewType("ModelVersionRef", UUID)
