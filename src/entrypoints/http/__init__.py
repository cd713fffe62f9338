"""The HTTP API: everything that a client or a probe can ask over HTTP."""
