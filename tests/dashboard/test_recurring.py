"""Recurring jobs in the admin: what is seen, what is offered, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import translation

from django_jobs import clock
from django_jobs.masking import HIDDEN
from django_jobs.models import Job, RecurringJob
from tests.app.jobs import succeeds
from tests.app.limited import refuses_twins
from tests.app.people import signs_in
from tests.dashboard.conftest import AsUser, claim, finish

pytestmark = pytest.mark.django_db

LIST = "/admin/django_jobs/recurringjob/"
PREVIEW = f"{LIST}preview/"
PAGE = f"{LIST}nightly_3A one_5Ftwo/change/"

FORM: dict[str, Any] = {
    "id": "weekly",
    "job_type": "tests.adds",
    "args": "[1, 2]",
    "kwargs": "{}",
    "queue": "critical",
    "priority": "5",
    "cron": "0 9 * * MON",
    "time_zone": "Asia/Kolkata",
    "misfire": "strict",
    "overlap": "queue",
    "jitter": "0",
    "enabled": "on",
    "description": "Every Monday",
}


def add(id: str = "nightly: one_two", **terms: Any) -> RecurringJob:
    return RecurringJob.objects.add_or_update(id, succeeds, **{"cron": "0 2 * * *", **terms})


def verb(name: str, id: str = "nightly_3A one_5Ftwo") -> str:
    return f"{LIST}{id}/verb/{name}/"


def fresh(id: str = "nightly: one_two") -> RecurringJob:
    return RecurringJob.objects.get(pk=id)


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def test_the_list_tells_when_they_run_and_how_they_are(as_root: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(20):
        claim(job := add(f"n{number}").trigger())
        finish(job)
    add("off", enabled=False)
    RecurringJob.objects.filter(pk="n3").update(error="InvalidCron: <b>broken</b>")
    with django_assert_max_num_queries(12):
        text = text_of(as_root.get(LIST))
    assert text.count("dj-state-succeeded") == 20
    assert "InvalidCron: &lt;b&gt;broken&lt;/b&gt;" in text
    assert text.count("Disabled</span>") == 1
    for status, count in {"broken": 1, "disabled": 1, "enabled": 19, "orphaned": 0, "ended": 0}.items():
        assert len(as_root.get(LIST, {"status": status}).context["cl"].result_list) == count


def test_the_list_tells_an_expression_without_words_once(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django_jobs.cron.words.cron_descriptor", None)
    row = add("plain")
    assert text_of(as_root.get(LIST)).count(row.cron) == 1


def test_one_is_added_by_the_form(as_root: Client) -> None:
    assert as_root.post(f"{LIST}add/", FORM).status_code == 302
    row = fresh("weekly")
    assert (row.source, row.changed_by, row.args, row.queue) == ("admin", "root", [1, 2], "critical")
    assert (row.misfire, row.overlap, row.priority, row.enabled) == ("strict", "queue", 5, True)
    assert f"{row.next_runs(1)[0]:%a %H:%M %Z}" == "Mon 09:00 IST"
    assert LogEntry.objects.get().object_id == "weekly"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("cron", "0 25 * * *", "hour"),
        ("time_zone", "Mars/Olympus", "no zone is named"),
        ("args", "[1, 2, 3]", "too many positional arguments"),
        ("args", "{", "Enter a valid JSON"),
        ("args", '["\\ud800", 1]', "half a surrogate"),
        ("args", "5", "give a list"),
        ("jitter", "-1", "greater than or equal to 0"),
        ("job_type", "nowhere", "Select a valid choice"),
        ("id", "a/b", "without a slash"),
        ("priority", "500", "from -100 to 100"),
    ],
)
def test_what_cannot_be_is_told_at_its_field(as_root: Client, field: str, value: str, message: str) -> None:
    answer = as_root.post(f"{LIST}add/", {**FORM, field: value})
    assert message in str(answer.context["adminform"].form.errors[field])
    assert not RecurringJob.objects.exists()


def test_an_id_that_is_taken_is_refused(as_root: Client) -> None:
    add("weekly")
    assert "There is a recurring job of this id" in text_of(as_root.post(f"{LIST}add/", FORM))
    assert fresh("weekly").cron == "0 2 * * *"


def test_a_change_stays_when_the_code_says_otherwise(as_root: Client) -> None:
    add()
    assert as_root.post(PAGE, {**FORM, "id": "ignored", "cron": "0 3 * * *"}).status_code == 302
    row = add(description="from the code")
    assert (row.pk, row.cron, row.source) == ("nightly: one_two", "0 3 * * *", "code")
    text = text_of(as_root.get(PAGE))
    assert "Differs from the code" in text
    assert "cron expression" in text


def test_the_page_shows_its_last_runs(as_root: Client) -> None:
    row = add()
    claim(first := row.trigger())
    finish(first)
    second = row.trigger()
    text = text_of(as_root.get(PAGE))
    assert text.index(f"#{second.pk}<") < text.index(f"#{first.pk}<")
    assert "by hand" in text
    listed = as_root.get("/admin/django_jobs/job/", {"recurring_job": row.pk})
    assert len(listed.context["cl"].result_list) == 2


def test_verbs_are_done_told_and_logged(as_root: Client) -> None:
    add()
    assert "1 of 1 recurring job was triggered." in text_of(as_root.post(verb("trigger"), follow=True))
    assert Job.objects.get().created_by_name == "root"
    as_root.post(verb("disable"))
    assert not fresh().enabled
    assert "0 of 1" in text_of(as_root.post(verb("disable"), follow=True))
    as_root.post(verb("enable"))
    assert fresh().enabled
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == [
        "Triggered.",
        "Disabled.",
        "Enabled.",
    ]
    assert as_root.post(verb("explode")).status_code == 404
    assert as_root.get(verb("trigger")).status_code == 405
    assert as_root.post(verb("trigger", "nowhere")).status_code == 302


def test_a_key_that_is_taken_is_not_told(as_root: Client) -> None:
    RecurringJob.objects.add_or_update("twins", refuses_twins, cron="@daily", args=["secret"])
    as_root.post(verb("trigger", "twins"))
    said = [str(one) for one in as_root.post(verb("trigger", "twins"), follow=True).context["messages"]]
    assert said[-1] == f"Job #{Job.objects.get().pk} has its unique key."


def test_actions_take_many(as_root: Client) -> None:
    add("a"), add("b", enabled=False)
    chosen = {"_selected_action": ["a", "b"]}
    as_root.post(LIST, {"action": "enable_selected", **chosen})
    assert RecurringJob.objects.filter(enabled=True).count() == 2
    as_root.post(LIST, {"action": "trigger_selected", **chosen})
    assert Job.objects.count() == 2
    as_root.post(LIST, {"action": "delete_selected", "post": "yes", **chosen})
    assert not RecurringJob.objects.exists()


def test_permissions_are_asked_on_every_door(as_user: AsUser) -> None:
    add()
    viewer = as_user("view_recurringjob")
    text = text_of(viewer.get(PAGE))
    assert "Trigger now" not in text
    assert ">Disable<" not in text
    for name in ("trigger", "enable", "disable"):
        assert viewer.post(verb(name)).status_code == 403
    assert viewer.post(PAGE, FORM).status_code == 403
    assert viewer.get(f"{LIST}add/").status_code == 403
    assert viewer.get(PREVIEW).status_code == 200
    trigger = as_user("view_recurringjob", "trigger_recurringjob")
    assert trigger.post(verb("trigger")).status_code == 302
    assert trigger.post(verb("disable")).status_code == 403
    changer = as_user("view_recurringjob", "change_recurringjob")
    assert changer.post(verb("disable")).status_code == 302
    assert changer.post(verb("trigger")).status_code == 403
    nobody = as_user()
    for address in (LIST, PAGE, PREVIEW):
        assert nobody.get(address).status_code == 403
    assert nobody.post(verb("trigger")).status_code == 403
    assert fresh().enabled is False


def test_arguments_are_for_those_who_may_see_payloads(as_user: AsUser) -> None:
    add(args=["secret-7"])
    reader = as_user("view_recurringjob", "change_recurringjob", "view_job")
    assert "secret-7" not in text_of(reader.get(PAGE))
    form = {name: value for name, value in FORM.items() if name not in {"args", "kwargs"}}
    assert reader.post(PAGE, {**form, "job_type": "tests.succeeds", "args": '["other"]'}).status_code == 302
    assert (fresh().args, fresh().cron) == (["secret-7"], "0 9 * * MON")
    assert reader.get(LIST, {"args__icontains": "secret"}).status_code == 400
    entitled = as_user("view_recurringjob", "view_payload_job")
    assert "secret-7" in text_of(entitled.get(PAGE))


def test_who_may_only_look_sees_the_next_five_runs(as_user: AsUser) -> None:
    row = add()
    viewer = as_user("view_recurringjob")
    shown = text_of(viewer.get(PAGE))
    assert [f'datetime="{at.isoformat()}"' in shown for at in row.next_runs(6)] == [True] * 5 + [False]
    row.disable()
    assert "Next runs" not in text_of(viewer.get(PAGE))
    RecurringJob.objects.update(cron="no cron", next_run=clock.now())
    assert "Next runs" not in text_of(viewer.get(PAGE))


def test_what_broke_it_is_told_without_what_may_quote_arguments(as_root: Client, as_user: AsUser) -> None:
    RecurringJob.objects.add_or_update("signs", signs_in, cron="@daily", args=[1, "open sesame"])
    RecurringJob.objects.update(error="ValueError: customer 4711 has no open sesame")
    viewer = as_user("view_recurringjob")
    for page in (LIST, f"{LIST}signs/change/"):
        assert f"customer 4711 has no {HIDDEN}" in text_of(as_root.get(page))
        assert "ValueError" in (shown := text_of(viewer.get(page)))
        assert "4711" not in shown
    RecurringJob.objects.update(error="CronError: hour: '99' is too large")
    assert "is too large" in text_of(viewer.get(LIST))


def test_sensitive_arguments_are_shown_to_nobody_and_survive_a_change(as_root: Client, as_user: AsUser) -> None:
    RecurringJob.objects.add_or_update("signs", signs_in, cron="@daily", args=[1, "open sesame"], kwargs={"pin": 4711})
    page = f"{LIST}signs/change/"
    for reader in (as_root, as_user("view_recurringjob", "view_payload_job")):
        shown = text_of(reader.get(page))
        assert HIDDEN in shown
        assert "sesame" not in shown
        assert "4711" not in shown
        assert {reader.get(LIST, {name: "o"}).status_code for name in ("kwargs__pin", "args__1__startswith")} == {400}
    form = {
        **FORM,
        "job_type": "tests.signs_in",
        "args": json.dumps([2, HIDDEN]),
        "kwargs": json.dumps({"pin": HIDDEN}),
    }
    assert as_root.post(page, form).status_code == 302
    assert (fresh("signs").args, fresh("signs").kwargs) == ([2, "open sesame"], {"pin": 4711})
    refused = as_root.post(page, {**form, "args": json.dumps([HIDDEN, 2])})
    assert "stands for a value that is not shown" in text_of(refused)
    for type_name in ("tests.says", "tests.succeeds"):
        refused = as_root.post(page, {**form, "job_type": type_name})
        assert "stands for a value that is not shown" in text_of(refused)
    assert fresh("signs").args == [2, "open sesame"]
    assert fresh("signs").job_type == "tests.signs_in"


def test_runs_are_for_those_who_may_see_jobs(as_user: AsUser) -> None:
    job = add().trigger()
    assert f"#{job.pk}<" not in text_of(as_user("view_recurringjob").get(PAGE))
    assert f"#{job.pk}<" in text_of(as_user("view_recurringjob", "view_job").get(PAGE))


def test_the_preview_tells_the_next_runs_or_what_is_wrong(as_root: Client) -> None:
    asked = {"cron": "0 23 L * *", "time_zone": "Asia/Kolkata", "starts_at_0": "2030-02-01", "starts_at_1": "00:00"}
    told = as_root.get(PREVIEW, asked).json()
    there = [there for there, _here in told["runs"]]
    assert there[:2] == ["Thu 2030-02-28 23:00:00 IST", "Sun 2030-03-31 23:00:00 IST"]
    assert told["words"]
    for cron, zone, field in [
        ("0 25 * * *", "UTC", "cron"),
        ("* * * * *", "x", "time_zone"),
        ("*" * 600, "UTC", "cron"),
        ("", "UTC", "cron"),
    ]:
        assert as_root.get(PREVIEW, {"cron": cron, "time_zone": zone}).json()["field"] == field
    assert as_root.get(PREVIEW, {"cron": "0 0 31 2 *", "time_zone": "UTC"}).json()["runs"] == []
    assert as_root.post(PREVIEW).status_code == 405


@pytest.mark.parametrize(("language", "words"), [("de", "Um 02:00"), ("pt-br", "Às 02:00"), ("hi", "At 02:00")])
def test_list_page_and_preview_say_the_expression_in_the_readers_language(
    as_root: Client, language: str, words: str
) -> None:
    add()
    with translation.override(language):
        assert as_root.get(PREVIEW, {"cron": "0 2 * * *", "time_zone": "UTC"}).json()["words"] == words
        assert words in text_of(as_root.get(LIST))
        assert words in text_of(as_root.get(PAGE))


def test_broken_and_orphaned_ones_say_what_to_do(as_root: Client) -> None:
    add()
    RecurringJob.objects.update(orphaned_at=clock.now())
    assert "The code no longer declares it" in text_of(as_root.get(PAGE))
    RecurringJob.objects.update(error="InvalidCron: no", cron="no cron")
    assert "Broken" in text_of(as_root.get(PAGE))
    assert "no cron" in text_of(as_root.get(LIST))
    assert "cron" in text_of(as_root.post(verb("enable"), follow=True))


def test_what_was_switched_off_as_broken_may_be_kept_off(as_root: Client) -> None:
    add()
    RecurringJob.objects.update(enabled=False, error="InvalidCron: no", failures=5)
    assert "dj-verb-disable" in text_of(as_root.get(PAGE))
    as_root.post(verb("disable"))
    assert "dj-verb-disable" not in text_of(as_root.get(PAGE))
    assert RecurringJob.objects.get().failures == 0


@pytest.mark.parametrize("page", ["change", "delete", "history", "verb/trigger"])
@pytest.mark.parametrize("name", ["a%00b", "_00"])
def test_an_id_that_no_database_takes_is_not_there(as_root: Client, name: str, page: str) -> None:
    asks = as_root.post if page.startswith("verb") else as_root.get
    assert asks(f"{LIST}{name}/{page}/").status_code == 302


@pytest.mark.parametrize("kind", ["job", "batch", "server"])
def test_a_page_with_a_number_that_is_none_is_not_there(as_root: Client, kind: str) -> None:
    assert as_root.get(f"/admin/django_jobs/{kind}/a%00b/change/").status_code == 302
