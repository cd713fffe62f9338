from tradingcore.kernel.errors import NotFound, Unauthenticated


class CredentialRefused(Unauthenticated):
    """One error for every wrong credential: unknown, malformed, expired or revoked."""

    code = "auth.credential_refused"
    title = "Credential refused"


class ApiKeyNotFound(NotFound):
    code = "auth.api_key_not_found"
    title = "API key not found"
