"""The schema as SQLAlchemy sees it. The migrations make it; a test compares the two."""
