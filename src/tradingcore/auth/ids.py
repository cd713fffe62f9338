from typing import NewType
from uuid import UUID

ApiKeyId = NewType("ApiKeyId", UUID)
SessionId = NewType("SessionId", UUID)
ChallengeId = NewType("ChallengeId", UUID)
TrustedDeviceId = NewType("TrustedDeviceId", UUID)
PasskeyId = NewType("PasskeyId", UUID)
IdentityId = NewType("IdentityId", UUID)
PhoneProofId = NewType("PhoneProofId", UUID)
PhoneSendId = NewType("PhoneSendId", UUID)
