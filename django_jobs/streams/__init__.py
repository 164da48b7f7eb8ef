"""Streams to browsers and others: one reader for a process, no database connection held, access asked again."""
