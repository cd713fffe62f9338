"""The shared kernel: the few notions that every context speaks. It knows no context."""
