"""One context's question answered by another context's data or use case."""
