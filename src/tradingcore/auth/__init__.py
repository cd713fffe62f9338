"""Credentials of callers: so far API keys of service users and stream tickets."""
