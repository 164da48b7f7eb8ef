"""Dhanman: the services of a housing society with their jobs."""
