"""The dashboard, inside Django's admin: it reads through `monitoring` and writes through `client`."""
