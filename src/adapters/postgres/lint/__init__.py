"""Reads the catalogue of a database and says where one user's rows could reach another user."""
