"""Candles from and to files, simulated markets, and feeds over them. Needs the extra ``market`` for anything but the replay."""
