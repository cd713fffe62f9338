from typing import NewType
from uuid import UUID

ApiKeyId = NewType("ApiKeyId", UUID)
