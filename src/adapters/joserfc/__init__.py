"""JSON Web Tokens of our own."""
