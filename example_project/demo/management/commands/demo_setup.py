"""``manage.py demo_setup``: what the demo needs before it starts."""

from __future__ import annotations

from typing import Any

import django_rq
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error as DatabaseError
from django.db import connection
from redis.exceptions import RedisError
from rest_framework.authtoken.models import Token

from django_jobs import groups
from django_jobs.models import RecurringJob
from django_jobs.registry import registry
from example_project.dhanman import roles, seed

GROUPS = {"viewer": groups.VIEWER, "operator": groups.OPERATOR, "admin": groups.ADMINISTRATOR}
"""A user for each group of django_jobs."""


class Command(BaseCommand):
    help = "Migrate the database, see that Redis answers, and create the demo's users."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--users",
            action="store_true",
            help="create the users demo (all rights), viewer, operator, admin and Dhanman's, and fill Dhanman's tables",
        )
        parser.add_argument("--schedules", action="store_true", help="run the sample plug-ins that are installed")

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
            seed.plant()
        if options["schedules"]:
            create_schedules()


def create_schedules() -> None:
    """Timetables of plug-ins; what somebody has changed since stays changed."""
    if "EventTypeA" in registry:
        terms = {"cron": "0-59 * * * MON,TUE,WED,THU,FRI", "time_zone": "EST", "misfire": "skip"}
        text = "Check for Invoices every minute"
        RecurringJob.objects.add_or_update("JOB001", "EventTypeA", description=text, **terms)


def create_users() -> None:
    """The demo's users, each with the password and the token of its name; those that exist keep theirs."""
    if not User.objects.filter(username="demo").exists():
        User.objects.create_superuser("demo", "demo@example.com", "demo")
    groups.restore()
    for name, group in GROUPS.items():
        if not User.objects.filter(username=name).exists():
            User.objects.create_user(name, f"{name}@example.com", name, is_staff=True)
        user = User.objects.get(username=name)
        user.groups.add(Group.objects.get(name=group))
        user.user_permissions.set(sights_of_the_shop())
    names = [*GROUPS, *roles.make_users()]
    for name in ("demo", *names):
        Token.objects.get_or_create(user=User.objects.get(username=name), defaults={"key": name})


def sights_of_the_shop() -> list[Permission]:
    """The right to look at each of its models."""
    rows = Permission.objects.filter(content_type__app_label="shop").select_related("content_type")
    return [row for row in rows if row.codename == f"view_{row.content_type.model}"]
