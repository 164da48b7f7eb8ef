"""Who may do what at Dhanman: the groups of django_jobs, each with rights to what the services store."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission, User

from django_jobs import groups

ROLES = {"dhanman-admin": groups.ADMINISTRATOR, "dhanman-staff": groups.VIEWER}
"""Role, and its group for jobs."""


def make() -> dict[str, list[Group]]:
    """Two groups for what the services store, with exactly these permissions, each with its group for jobs."""
    known = list(Permission.objects.filter(content_type__app_label="dhanman").select_related("content_type"))
    sights = [right for right in known if right.codename == f"view_{right.content_type.model}"]
    made = {}
    for role, rights in {"dhanman-admin": known, "dhanman-staff": sights}.items():
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set(rights)
        made[role] = [group, Group.objects.get(name=ROLES[role])]
    return made


def make_users() -> list[str]:
    """A user for each role, with the password of its name; those that exist keep theirs."""
    for role, of_role in make().items():
        if not User.objects.filter(username=role).exists():
            User.objects.create_user(role, f"{role}@example.com", role, is_staff=True)
        User.objects.get(username=role).groups.set(of_role)
    return list(ROLES)
