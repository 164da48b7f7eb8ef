"""``manage.py demo_setup``: what the demo needs before it starts."""

from __future__ import annotations

from typing import Any

import django_rq
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import connection
from redis.exceptions import RedisError

APPS = ("django_jobs", "shop")


class Command(BaseCommand):
    help = "Migrate the database, see that Redis answers, and create the demo's users."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--users", action="store_true", help="create the users demo (all rights) and viewer (may look)"
        )

    def handle(self, **options: Any) -> None:
        try:
            call_command("migrate", interactive=False, verbosity=0)
        except DatabaseError as error:
            raise CommandError(
                f"The {connection.display_name} database cannot be used: {str(error).strip()}"
            ) from error
        try:
            django_rq.get_connection("default").ping()
        except RedisError as error:
            raise CommandError(f"Redis cannot be reached: {error}") from error
        if options["users"]:
            create_users()


def create_users() -> None:
    """The demo's users; those that exist are left as they are."""
    if not User.objects.filter(username="demo").exists():
        User.objects.create_superuser("demo", "demo@example.com", "demo")
    if not User.objects.filter(username="viewer").exists():
        User.objects.create_user("viewer", "viewer@example.com", "viewer", is_staff=True)
    User.objects.get(username="viewer").user_permissions.set(view_permissions())


def view_permissions() -> list[Permission]:
    """The right to look at each model; not the one to see what is inside of jobs."""
    rows = Permission.objects.filter(content_type__app_label__in=APPS).select_related("content_type")
    return [row for row in rows if row.codename == f"view_{row.content_type.model}"]
