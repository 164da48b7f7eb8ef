"""The application North."""
