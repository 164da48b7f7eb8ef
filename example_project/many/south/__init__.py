"""The application South."""
