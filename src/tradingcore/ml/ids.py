from typing import NewType
from uuid import UUID

ModelId = NewType("ModelId", UUID)
ModelVersionId = NewType("ModelVersionId", UUID)
ForecastId = NewType("ForecastId", UUID)
BundleDigest = NewType("BundleDigest", str)
"""SHA-256 of a bundle, 64 lower-case hexadecimal digits."""
