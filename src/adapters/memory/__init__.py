"""The reference implementation of every storage port: tests, notebooks, ``--storage memory``."""
