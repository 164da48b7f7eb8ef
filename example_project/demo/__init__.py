"""What runs the example: `manage.py demo` with its child processes, and the checks of `demo --check`."""
