"""Telling subscribers: topics, positions and the log that a stream is read from."""
