"""Whenever X then Y, across contexts: each module is one reaction to an event of the outbox.

A handler gets an event at least once and calls use cases with an actor that carries the cause, which makes it idempotent.
"""
