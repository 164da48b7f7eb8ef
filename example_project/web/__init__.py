"""The web side as a command."""
