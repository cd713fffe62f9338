"""The machine itself: clock, identifiers, randomness."""
