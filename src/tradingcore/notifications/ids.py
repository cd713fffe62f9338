from typing import NewType
from uuid import UUID

MailId = NewType("MailId", UUID)
