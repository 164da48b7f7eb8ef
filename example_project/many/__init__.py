"""Two applications, north and south, on one database and one Redis."""
