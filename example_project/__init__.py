"""A small shop that shows django_jobs. `manage.py demo` starts all of it."""
