"""The stream: one hub per process, its WebSocket and Server-Sent Events sides, and the document that describes them."""
