"""Calls to the world outside, by httpx2."""
