"""Actions on all jobs that match: counted first, confirmed, then done by a job with the rights of who asked."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.test import Client

from django_jobs import JobContext, client, execution, monitoring, search, states
from django_jobs.dashboard import manyjob
from django_jobs.dashboard.jobs import JobAdmin
from django_jobs.exceptions import JobCancelled
from django_jobs.models import Job
from django_jobs.search.refusals import BadSearch
from django_jobs.states import machine
from tests.app.jobs import succeeds
from tests.dashboard.conftest import AsUser, claim, failed, fresh, in_state, succeeded

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/job/"
TYPE = "django_jobs.act_on_many"


def ask(browser: Client, action: str, query: str = "", **more: str) -> Any:
    return browser.post(LIST + query, {"action": action, "index": 0, "scope": "all", **more}, follow=True)


def said(answer: Any) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def run(job: Job) -> Job:
    """What a worker does."""
    (claimed,) = machine.claim([job.pk], [TYPE], "test/1")
    machine.acknowledge([execution.run(claimed, "test/1")], "test/1")
    return fresh(job)


def made() -> Job:
    return Job.objects.get(job_type=TYPE)


def test_the_number_is_told_before_anything_happens(as_root: Client) -> None:
    jobs = [failed() for _ in range(3)]
    in_state(states.ENQUEUED)
    offered = as_root.get(LIST).content.decode()
    assert '<select name="scope">' in offered
    assert '<option value="all">' in offered
    answer = ask(as_root, "requeue_selected", "?state=failed&q=card")
    text = answer.content.decode()
    assert "<strong>3</strong> jobs match" in text
    assert "card state:&quot;failed&quot;" in text
    assert {fresh(job).state for job in jobs} == {states.FAILED}
    assert not Job.objects.filter(job_type=TYPE).exists()


def test_a_job_does_it_to_all_that_match_and_to_no_other(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manyjob, "SET", 2)
    jobs = [failed() for _ in range(5)]
    others = [in_state(states.ENQUEUED), in_state(states.PROCESSING), failed(reason="KeyError: other")]
    answer = ask(as_root, "delete_jobs_selected", "?q=error:card", confirmed="yes")
    assert answer.redirect_chain[-1][0] == f"{LIST}{made().pk}/change/"
    later = failed()
    done = run(made())
    assert (done.state, done.result) == (states.SUCCEEDED, {"moved": 5, "refused": 0})
    assert {fresh(job).state_reason for job in jobs} == {"Deleted by root"}
    assert states.DELETED not in {fresh(job).state for job in [*others, later]}
    assert done.priority == 100, "ahead of what waits"


def test_what_leaves_the_states_that_were_asked_for_is_left_alone(
    as_root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, runs = failed(), failed()
    ask(as_root, "delete_jobs_selected", "?state=failed", confirmed="yes")
    does = manyjob._moved

    def late(*args: Any) -> Any:
        client.requeue([runs.pk])
        claim(runs)
        return does(*args)

    monkeypatch.setattr(manyjob, "_moved", late)
    assert run(made()).result == {"moved": 1, "refused": 0}
    assert [fresh(one).state for one in (job, runs)] == [states.DELETED, states.PROCESSING]


def test_who_asked_for_what_and_how_many_moved_is_in_the_admins_log(as_root: Client) -> None:
    failed()
    ask(as_root, "requeue_selected", "?state=failed", confirmed="yes")
    run(made())
    texts = list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))
    assert texts == [
        'Asked for requeue of all jobs that match, 1 at that time: state:"failed"',
        'Moved 1 jobs by requeue: state:"failed"',
    ]
    assert {entry.user.get_username() for entry in LogEntry.objects.all()} == {"root"}


def test_the_log_does_not_quote_what_was_looked_for_in_payloads(as_root: Client) -> None:
    failed("secret")
    ask(as_root, "requeue_selected", "?q=args.0:secret", confirmed="yes")
    run(made())
    assert not LogEntry.objects.filter(change_message__contains="secret").exists()
    assert LogEntry.objects.filter(change_message__contains="a search in arguments").count() == 2


def test_rights_are_looked_at_again_when_it_starts(as_user: AsUser) -> None:
    jobs = [failed(), failed()]
    browser = as_user("view_job", "requeue_job", username="asha")
    ask(browser, "requeue_selected", "?state=failed", confirmed="yes")
    get_user_model().objects.get(username="asha").user_permissions.clear()
    done = run(made())
    assert done.state == states.FAILED
    assert "PermissionDenied" in done.state_reason
    assert {fresh(job).state for job in jobs} == {states.FAILED}


@pytest.mark.parametrize("permissions", [["view_job"], ["requeue_job"], ["view_job", "cancel_job"]])
def test_the_right_to_the_verb_and_to_the_list_is_needed(as_user: AsUser, permissions: list[str]) -> None:
    failed()
    assert ask(as_user(*permissions), "requeue_selected", confirmed="yes").status_code == 403
    assert not Job.objects.filter(job_type=TYPE).exists()


def test_nobody_borrows_rights_by_enqueueing_it_himself(as_user: AsUser) -> None:
    as_user("view_job", "enqueue_job", username="sly")
    sly = get_user_model().objects.get(username="sly")
    job = failed()
    for by in (None, sly):
        mine = manyjob.act_on_many.using(created_by=by).enqueue("delete", "state:failed")
        assert run(mine).state == states.FAILED
    assert fresh(job).state == states.FAILED


def test_who_may_not_see_payloads_does_not_act_on_a_search_in_them(as_user: AsUser) -> None:
    failed()
    answer = ask(as_user("view_job", "requeue_job"), "requeue_selected", "?q=error:card", confirmed="yes")
    assert "permission to see arguments" in said(answer)
    assert not Job.objects.filter(job_type=TYPE).exists()


def test_without_payloads_words_are_not_looked_for_in_reasons_either(as_user: AsUser) -> None:
    hidden, shown = failed(reason="KeyError: fails"), succeeded()
    browser = as_user("view_job", "delete_job", username="asha")
    assert "No job that matches" in said(ask(browser, "delete_jobs_selected", "?q=KeyError", confirmed="yes"))
    asha = get_user_model().objects.get(username="asha")
    done = run(manyjob.start("delete", search.compile("KeyError", payload=False), asha, monitoring.Count(0)))
    assert done.result == {"moved": 0, "refused": 0}
    assert fresh(hidden).state == states.FAILED
    assert fresh(shown).state == states.SUCCEEDED


def test_nor_by_requeueing_what_somebody_else_has_asked_for(as_root: Client, as_user: AsUser) -> None:
    failed()
    ask(as_root, "delete_jobs_selected", "?state=failed", confirmed="yes")
    assert run(made()).state == states.SUCCEEDED
    Job.objects.filter(job_type="tests.fails").update(state=states.FAILED)
    sly = as_user("view_job", "requeue_job", username="sly")
    sly.post(f"{LIST}{made().pk}/verb/requeue/")
    done = run(made())
    assert done.state == states.FAILED
    assert "sly asked for it, without the right to: ['django_jobs.delete_job']" in done.state_reason
    as_root.post(f"{LIST}{made().pk}/verb/requeue/")
    assert run(made()).result == {"moved": 1, "refused": 0}


def test_a_right_that_was_taken_away_ends_a_search_in_payloads(as_user: AsUser) -> None:
    job = failed("secret")
    ask(
        as_user("view_job", "requeue_job", "view_payload_job", username="asha"),
        "requeue_selected",
        "?q=args.0:secret",
        confirmed="yes",
    )
    asha = get_user_model().objects.get(username="asha")
    asha.user_permissions.remove(*asha.user_permissions.filter(codename="view_payload_job"))
    done = run(made())
    assert (done.state, fresh(job).state) == (states.FAILED, states.FAILED)
    assert "PermissionDenied" in done.state_reason


def test_a_search_of_as_many_terms_as_there_may_be_is_done(as_root: Client) -> None:
    job = failed()
    ask(as_root, "requeue_selected", f"?q={'+'.join(['state:failed'] * 20)}", confirmed="yes")
    assert run(made()).result == {"moved": 1, "refused": 0}
    assert fresh(job).state == states.ENQUEUED


@pytest.mark.parametrize(
    ("query", "action", "told"),
    [
        ("?q=colour:red", "requeue_selected", "there is no field colour"),
        ("?state=enqueued", "requeue_selected", "No job that matches is in a state that allows it."),
        ("?state=failed", "", "No action was chosen."),
        ("?colour=red", "requeue_selected", "There is no filter"),
    ],
)
def test_what_cannot_be_done_says_why(as_root: Client, query: str, action: str, told: str) -> None:
    job, waiting = failed(), in_state(states.ENQUEUED)
    answer = as_root.post(LIST + query, {"action": action, "index": 0, "scope": "all", "confirmed": "yes"})
    assert answer.status_code == 302
    assert told in said(as_root.get(LIST))
    assert (fresh(job).state, fresh(waiting).state) == (states.FAILED, states.ENQUEUED)


def test_it_stops_when_it_is_cancelled_and_says_how_far_it_came(
    as_root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manyjob, "SET", 1)
    jobs = [failed() for _ in range(3)]
    ask(as_root, "delete_jobs_selected", "?state=failed", confirmed="yes")
    job = made()
    (claimed,) = machine.claim([job.pk], [TYPE], "test/1")
    ctx = JobContext(job.pk, TYPE, "default", 1, claimed.run, "test/1")
    moved = manyjob._moved

    def moved_once(*args: Any) -> tuple[int, int]:
        answer = moved(*args)
        ctx.control.hear("cancel")
        return answer

    monkeypatch.setattr(manyjob, "_moved", moved_once)
    with pytest.raises(JobCancelled):
        manyjob.act_on_many(ctx, *job.args)
    assert sorted(fresh(job).state for job in jobs) == ["deleted", "failed", "failed"]
    assert LogEntry.objects.filter(change_message="Was stopped after 1 jobs").exists()


def test_it_goes_on_where_it_was_paused(as_root: Client) -> None:
    jobs = [failed() for _ in range(3)]
    ask(as_root, "delete_jobs_selected", "?state=failed", confirmed="yes")
    job = made()
    (claimed,) = machine.claim([job.pk], [TYPE], "test/1")
    ctx = JobContext(job.pk, TYPE, "default", 1, claimed.run, "test/1")
    ctx.checkpoint({"at": [jobs[1].pk], "moved": 2, "refused": 0})
    assert manyjob.act_on_many(ctx, *job.args) == {"moved": 3, "refused": 0}
    assert [fresh(job).state for job in jobs] == ["deleted", "failed", "failed"], "those behind were done before"


def test_a_job_that_a_filter_refuses_does_not_hold_up_the_others(as_root: Client, settings: Any) -> None:
    root = get_user_model().objects.get(username="root")
    jobs = succeeds.enqueue_many([(1,), (2,), (3,)])
    settings.DJANGO_JOBS = {**settings.DJANGO_JOBS, "FILTERS": ["tests.conformance.test_filters.Refuses"]}
    assert manyjob._moved("cancel", [job.pk for job in jobs], root, states.ALL) == (0, 3)


def test_a_site_that_shows_each_person_other_jobs_has_no_actions_on_all(as_root: Client) -> None:
    class Mine(JobAdmin):
        def get_queryset(self, request: Any) -> Any:
            return super().get_queryset(request).filter(created_by=request.user)

    from django.contrib import admin

    assert JobAdmin(Job, admin.site).may_act_on_all()
    assert not Mine(Job, admin.site).may_act_on_all()


def test_a_verb_that_is_none_is_refused() -> None:
    with pytest.raises(BadSearch, match="a verb is expected: requeue"):
        manyjob.act_on_many(JobContext(1, TYPE, "default", 1, 1, "w"), "erase", "")
    with pytest.raises(PermissionDenied, match="Nobody asked"):
        manyjob._allowed(succeeds.enqueue(), "cancel", "")


def test_a_row_offers_what_its_state_allows_and_leads_back(as_root: Client, as_user: AsUser) -> None:
    job, waiting = failed(), in_state(states.SCHEDULED)
    text = as_root.get(f"{LIST}?state=failed&size=25").content.decode()
    assert f"/admin/django_jobs/job/{job.pk}/verb/requeue/?_changelist_filters=" in text
    assert f"/{job.pk}/verb/pause/" not in text
    answer = as_root.post(f"{LIST}{job.pk}/verb/requeue/?_changelist_filters=state%3Dfailed%26size%3D25")
    assert answer.headers["Location"] == f"{LIST}?state=failed&size=25"
    assert fresh(job).state == states.ENQUEUED
    viewer = as_user("view_job").get(LIST).content.decode()
    assert "/verb/" not in viewer
    assert as_root.get(f"{LIST}{waiting.pk}/verb/cancel/").status_code == 405


def test_what_ended_well_can_be_run_again_from_its_row(as_root: Client) -> None:
    job = succeeded()
    as_root.post(f"{LIST}{job.pk}/verb/requeue/?_changelist_filters=")
    assert fresh(job).state == states.ENQUEUED
    assert client.cancel([job.pk]) == [job.pk]
