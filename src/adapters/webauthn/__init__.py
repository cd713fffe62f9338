"""Passkeys, verified by the webauthn package."""
