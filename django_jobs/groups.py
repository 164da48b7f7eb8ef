"""Three groups of users: who looks at jobs, who acts on them, who does everything. ``migrate`` makes them.

`migrate` gives a permission to its groups in the moment in which it creates it, and never again: what a site takes from
a group, or a group that it deletes, stays away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.apps import AppConfig
from django.apps import apps as global_apps
from django.contrib.auth.management import create_permissions
from django.db import DEFAULT_DB_ALIAS, router

APP = "django_jobs"
VIEWER, OPERATOR, ADMINISTRATOR = "Jobs viewer", "Jobs operator", "Jobs administrator"
ACTS = frozenset(
    {
        *("view_payload_job", "enqueue_job", "cancel_job", "pause_job", "requeue_job"),
        *("trigger_recurringjob", "pause_queue"),
    }
)
"""What an operator may do besides looking: all that keeps work going, nothing that changes how the site is set up."""


def looks(model: str, codename: str) -> bool:
    return codename == f"view_{model}"


GROUPS: dict[str, Callable[[str, str], bool]] = {
    VIEWER: looks,
    OPERATOR: lambda model, codename: looks(model, codename) or codename in ACTS,
    ADMINISTRATOR: lambda model, codename: True,
}
"""Whether a permission, by its model and code name, belongs to the group."""


def give_new_permissions(
    app_config: AppConfig, using: str = DEFAULT_DB_ALIAS, apps: Any = global_apps, verbosity: int = 1, **kwargs: Any
) -> None:
    """After a migration: create the permissions that are missing, and give those, no others, to their groups."""
    try:
        permission = apps.get_model("auth", "Permission")
    except LookupError:  # a site without users
        return
    if not router.allow_migrate_model(using, permission):
        return
    rows = permission.objects.using(using).filter(content_type__app_label=APP)
    known = set(rows.values_list("pk", flat=True))
    create_permissions(app_config, verbosity=verbosity, using=using, apps=apps)
    give([row for row in rows.select_related("content_type") if row.pk not in known], using, apps)


def give(permissions: Iterable[Any], using: str, apps: Any = global_apps) -> dict[str, list[str]]:
    """Give each to the groups that it belongs to, which are made where they are missing; returns what was added."""
    group = apps.get_model("auth", "Group")
    added: dict[str, list[str]] = {}
    for name, belongs in GROUPS.items():
        meant = {row for row in permissions if belongs(row.content_type.model, row.codename)}
        if not meant:
            continue
        row, _made = group.objects.using(using).get_or_create(name=name)
        new = meant - set(row.permissions.all())
        row.permissions.add(*new)
        added[name] = sorted(one.codename for one in new)
    return added


def restore() -> dict[str, list[str]]:
    """Make the groups that are missing, and give each what it lacks; returns what was added. Nothing is taken away."""
    permission: Any = global_apps.get_model("auth", "Permission")
    using = router.db_for_write(permission)
    create_permissions(global_apps.get_app_config(APP), verbosity=0, using=using)
    rows = permission.objects.using(using).filter(content_type__app_label=APP).select_related("content_type")
    return give(list(rows), using)


def held() -> dict[str, list[str]]:
    """The groups that are there, each with its permissions in this app."""
    group: Any = global_apps.get_model("auth", "Group")
    found: dict[str, list[str]] = {}
    for row in group.objects.filter(name__in=GROUPS).prefetch_related("permissions__content_type"):
        ours = [one.codename for one in row.permissions.all() if one.content_type.app_label == APP]
        found[row.name] = sorted(ours)
    return {name: found[name] for name in GROUPS if name in found}
