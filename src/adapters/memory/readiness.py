class MemoryReadiness:
    """Memory is always there."""

    async def __call__(self) -> None:
        return None
