"""From the core's objects to the schemas that clients see. No handler answers with a domain object."""
