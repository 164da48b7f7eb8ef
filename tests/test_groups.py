"""The three groups: what each has, when `migrate` gives it, and that it never takes anything back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from django.db.models.signals import post_migrate

from django_jobs import groups
from tests.test_jobs_command import jobs, jobs_json

pytestmark = pytest.mark.django_db

VIEWS = {"view_job", "view_batch", "view_queue", "view_recurringjob", "view_server"}
ACTS = {"view_payload_job", "enqueue_job", "cancel_job", "pause_job", "requeue_job", "trigger_recurringjob"}
ACTS |= {"pause_queue"}
RULES = {"delete_job", "add_recurringjob", "change_recurringjob", "delete_recurringjob", "change_queue", "purge_queue"}
RULES |= {"stop_server"}


def migrate() -> None:
    call_command("migrate", "django_jobs", verbosity=0, interactive=False)


def begin_anew() -> None:
    """As before the first `migrate`."""
    Group.objects.all().delete()
    Permission.objects.filter(content_type__app_label="django_jobs").delete()


def held(name: str) -> set[str]:
    return set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))


def test_the_first_migration_makes_three_groups() -> None:
    begin_anew()
    migrate()
    assert held("Jobs viewer") >= VIEWS
    assert held("Jobs viewer").isdisjoint(ACTS | RULES)
    assert held("Jobs operator") >= VIEWS | ACTS
    assert held("Jobs operator").isdisjoint(RULES)
    assert held("Jobs administrator") >= VIEWS | ACTS | RULES
    assert held("Jobs administrator") == set(
        Permission.objects.filter(content_type__app_label="django_jobs").values_list("codename", flat=True)
    )


def test_what_a_site_changed_stays_as_it_is() -> None:
    begin_anew()
    migrate()
    operator, other = Group.objects.get(name="Jobs operator"), Permission.objects.get(codename="view_logentry")
    operator.permissions.remove(Permission.objects.get(codename="cancel_job"))
    operator.permissions.add(other)
    Group.objects.get(name="Jobs viewer").delete()
    Group.objects.filter(name="Jobs administrator").update(name="Chiefs")
    migrate()
    assert "cancel_job" not in held("Jobs operator")
    assert "view_logentry" in held("Jobs operator")
    assert set(Group.objects.values_list("name", flat=True)) == {"Jobs operator", "Chiefs"}


def test_a_permission_that_a_new_version_brings_is_given_to_its_groups_alone() -> None:
    begin_anew()
    migrate()
    Group.objects.get(name="Jobs operator").permissions.clear()
    Permission.objects.filter(codename__in=["pause_queue", "view_batch"]).delete()
    migrate()
    assert held("Jobs operator") == {"pause_queue", "view_batch"}
    assert "pause_queue" not in held("Jobs viewer")
    assert "view_batch" in held("Jobs viewer")


def test_our_receiver_hears_of_a_migration_before_djangos_own() -> None:
    """Otherwise the permissions would be there already, and none would look new."""
    ours = apps.get_app_config("django_jobs")
    receivers = list(post_migrate._live_receivers(ours)[0])
    names = [receiver.__name__ for receiver in receivers]
    assert names.index("give_new_permissions") < names.index("create_permissions")


def test_a_site_without_users_has_no_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*names: str) -> None:
        raise LookupError

    begin_anew()
    config = apps.get_app_config("django_jobs")
    groups.give_new_permissions(config, apps=type("Apps", (), {"get_model": staticmethod(missing)})())
    assert not Group.objects.exists()


def test_groups_are_listed_and_restored_by_command() -> None:
    begin_anew()
    with pytest.raises(CommandError, match="jobs groups restore"):
        jobs("groups")
    assert "Jobs viewer: view_batch, view_job" in jobs("groups", "restore")
    assert held("Jobs operator") >= VIEWS | ACTS
    Group.objects.get(name="Jobs viewer").permissions.clear()
    Group.objects.get(name="Jobs operator").permissions.add(Permission.objects.get(codename="view_logentry"))
    assert jobs_json("groups")["Jobs viewer"] == []
    told = json.loads(jobs("groups", "restore", "--json"))["added"]
    assert set(told["Jobs viewer"]) >= VIEWS
    assert told["Jobs operator"] == []
    assert "view_logentry" in held("Jobs operator")
    assert "stop_server" in next(line for line in jobs("groups").splitlines() if line.startswith("Jobs administrator"))


def test_the_reference_says_what_each_group_has() -> None:
    page = (Path(__file__).parent.parent / "docs/reference/permissions.md").read_text()
    assert all(f"**{name}**" in page for name in groups.GROUPS)
    assert "{from-code} permissions" in page
