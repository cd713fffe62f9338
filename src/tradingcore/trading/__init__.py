"""Market data, decisions and signals."""
