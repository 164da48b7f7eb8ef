"""The list of jobs: tabs, search, filters, and what it costs."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_jobs import monitoring, states
from django_jobs.dashboard import joblist, jobsearch
from django_jobs.models import Job
from django_jobs.search import pages
from django_jobs.search.refusals import SearchTimeout
from tests.app.jobs import succeeds
from tests.dashboard.conftest import failed, in_state, server, succeeded

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/django_jobs/job/"
WAYS = [
    "",
    "?state=failed",
    "?state=succeeded",
    "?q=card",
    "?queue=default",
    "?job_type=tests.fails",
    "?created=day&p=1",
]


def numbers(browser: Client, **query: str) -> list[int]:
    """The jobs that the list shows, in its order."""
    answer = browser.get(LIST, query)
    assert answer.status_code == 200, answer.headers
    return [job.pk for job in answer.context["cl"].result_list]


def tabs(browser: Client, **query: str) -> dict[str, str]:
    shown = browser.get(LIST, query).content.decode()
    pairs = re.findall(r'<a href="\?state=(\w+)[^>]*>\s*\w+\s*<span class="dj-count">([^<]+)</span>', shown)
    return dict(pairs)


def queries(browser: Client, way: str) -> list[str]:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert browser.get(way).status_code == 200
    return [query["sql"] for query in captured]


def test_every_state_has_a_tab_with_its_count(as_root: Client) -> None:
    for state in states.ALL:
        in_state(state)
    in_state(states.SUCCEEDED)
    assert tabs(as_root) == {state: "2" if state == states.SUCCEEDED else "1" for state in states.ALL}


@pytest.mark.parametrize("state", states.ALL)
def test_a_tab_shows_its_state_alone(as_root: Client, state: str) -> None:
    jobs = {name: in_state(name) for name in states.ALL}
    assert numbers(as_root, state=state) == [jobs[state].pk]


def test_a_count_stops_at_the_cap_and_says_so(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "CAP", 3)
    monkeypatch.setattr(monitoring.capped_count, "__defaults__", (3,))
    monkeypatch.setattr(monitoring.capped_counts, "__defaults__", (3,))
    succeeds.enqueue_many([(number,) for number in range(5)])
    assert tabs(as_root)["enqueued"] == "3+"


def test_the_newest_job_comes_first_unless_the_address_asks_otherwise(as_root: Client) -> None:
    jobs = [job.pk for job in succeeds.enqueue_many([(1,), (2,), (3,)])]
    assert numbers(as_root) == numbers(as_root, o="-1") == numbers(as_root, o="5") == jobs[::-1]
    assert numbers(as_root, o="1") == jobs


def test_search_finds_a_job_by_number_type_reason_and_creator(as_root: Client) -> None:
    asha = get_user_model().objects.create_user("asha")
    one, other, hers = failed(reason="ValueError: no card"), in_state(states.ENQUEUED), succeeded(created_by=asha)
    assert numbers(as_root, q=str(other.pk)) == numbers(as_root, q=f"#{other.pk}") == [other.pk]
    assert numbers(as_root, q="tests.fa") == numbers(as_root, q="FAILS") == [one.pk]
    assert numbers(as_root, q="no card") == [one.pk]
    assert numbers(as_root, q="asha") == [hers.pk]
    assert numbers(as_root, q="100%") == numbers(as_root, q="9" * 5000) == numbers(as_root, q="²") == []


def test_search_keeps_to_the_tab(as_root: Client) -> None:
    one, other = in_state(states.ENQUEUED), succeeded()
    assert numbers(as_root, q="tests.succeeds") == [other.pk, one.pk]
    assert numbers(as_root, q="tests.succeeds", state="enqueued") == [one.pk]


def test_a_search_looks_at_some_jobs_and_goes_on_when_asked(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WINDOW", 2)
    monkeypatch.setattr(joblist.search, "SHORT", 0.0)
    old, *_ = [job.pk for job in succeeds.enqueue_many([("old",), (2,), (3,), (4,)])]
    shown = as_root.get(LIST, {"q": "args.0:old"})
    assert list(shown.context["cl"].result_list) == []
    assert "Looked at 2 jobs so far." in shown.content.decode()
    further = shown.context["cl"].further_url()
    assert numbers_at(as_root, further) == [old]
    assert numbers(as_root, q=str(old)) == [old], "a number is found by its index"
    assert len(numbers(as_root, job_type="tests.succeeds")) == 4, "and so is a type"


def numbers_at(browser: Client, way: str) -> list[int]:
    return [job.pk for job in browser.get(LIST + way).context["cl"].result_list]


@pytest.mark.parametrize("query", [{}, {"state": "enqueued"}, {"q": "tests.succeeds"}, {"o": "1"}, {"o": "2"}])
def test_pages_by_key_show_every_job_once_and_lead_back(
    as_root: Client, monkeypatch: pytest.MonkeyPatch, query: dict[str, str]
) -> None:
    monkeypatch.setattr(jobsearch, "SIZES", (3,))
    jobs = [job.pk for job in succeeds.enqueue_many([(number,) for number in range(8)])]
    way, seen, ways = "?" + urlencode({**query, "size": 3}), [], []
    while way:
        ways.append(way)
        shown = as_root.get(LIST + way).context["cl"]
        seen.append([job.pk for job in shown.result_list])
        assert "OFFSET" not in str(shown.older_url())
        way = shown.older_url()
    assert [len(part) for part in seen] == [3, 3, 2]
    assert [pk for part in seen for pk in part] == (jobs if "o" in query else jobs[::-1])
    assert numbers_at(as_root, shown.newer_url()) == seen[1]
    assert numbers_at(as_root, shown.newest_url()) == seen[0]


def test_scheduled_jobs_stand_in_the_order_of_their_time_and_say_it(as_root: Client) -> None:
    later, sooner = (succeeds.schedule(timedelta(hours=hours), hours) for hours in (2, 1))
    assert numbers(as_root, state="scheduled") == [sooner.pk, later.pk]
    shown = as_root.get(LIST, {"state": "scheduled", "size": 25}).content.decode()
    assert "field-due" in shown
    assert sooner.scheduled_at.isoformat() in shown
    assert "field-due" not in as_root.get(LIST).content.decode()


def test_what_is_wrong_with_a_search_stands_beside_it(as_root: Client) -> None:
    succeeds.enqueue()
    shown = as_root.get(LIST, {"q": "colour:red"})
    assert list(shown.context["cl"].result_list) == []
    assert "colour:red: there is no field colour." in shown.content.decode()


def test_a_slow_search_is_stopped_and_says_how_to_narrow_it(
    as_root: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timeout(*args: object, **options: object) -> None:
        raise SearchTimeout(2)

    succeeds.enqueue()
    monkeypatch.setattr(joblist.search, "page", timeout)
    shown = as_root.get(LIST, {"q": "card"})
    assert shown.status_code == 200
    assert "was stopped after 2 seconds. Narrow the search" in shown.content.decode()


def test_filters_narrow_by_queue_type_creator_and_age(as_root: Client) -> None:
    root = get_user_model().objects.get(username="root")
    plain, critical = succeeds.enqueue(), succeeds.using(queue="critical", created_by=root).enqueue()
    broken = failed()
    Job.objects.filter(pk=plain.pk).update(created_at=plain.created_at - timedelta(hours=2))
    assert numbers(as_root, queue="critical") == [critical.pk]
    assert numbers(as_root, job_type="tests.fails") == [broken.pk]
    assert numbers(as_root, creator="me") == numbers(as_root, creator="users") == [critical.pk]
    assert numbers(as_root, created="hour") == [broken.pk, critical.pk]
    assert numbers(as_root, created="day") == [broken.pk, critical.pk, plain.pk]


def test_the_type_filter_offers_what_live_servers_publish(as_root: Client) -> None:
    host = server("one")
    host.types = ["elsewhere.job"]
    host.save()
    assert "?job_type=elsewhere.job" in as_root.get(LIST).content.decode()


@pytest.mark.parametrize(
    "query",
    ["state=nonsense", "queue=%00", "job_type=a%00b", "state=scheduled&after=0001-01-01T00:00%2B14:00,5"],
)
def test_a_wild_address_leads_back_to_the_list(as_root: Client, query: str) -> None:
    assert as_root.get(f"{LIST}?{query}").headers["Location"] == f"{LIST}?e=1"


@pytest.mark.parametrize("way", WAYS)
def test_more_rows_take_no_more_queries(as_root: Client, way: str) -> None:
    in_state(states.SUCCEEDED)
    for _ in range(10):
        failed()
    few = queries(as_root, LIST + way)
    succeeds.enqueue_many([(number,) for number in range(190)])
    for _ in range(10):
        failed()
    many = queries(as_root, LIST + way)
    assert len(few) == len(many) <= 20


@pytest.mark.parametrize("way", [*WAYS, "?_facets=True", "?all=", "?state=failed&q=card&creator=users"])
def test_no_count_of_jobs_is_unbounded_and_no_distinct_is_asked(as_root: Client, way: str) -> None:
    failed()
    asked = [sql for sql in queries(as_root, LIST + way) if "django_jobs_job" in sql]
    assert not [sql for sql in asked if "COUNT(" in sql.upper() and "LIMIT" not in sql.upper()]
    assert not [sql for sql in asked if "DISTINCT" in sql.upper()]


def test_the_list_does_not_read_results(as_root: Client) -> None:
    succeeded(result={"large": "x" * 1000})
    assert not [sql for sql in queries(as_root, LIST) if '"result"' in sql or "`result`" in sql]


def test_long_calls_are_shortened(as_root: Client) -> None:
    succeeds.enqueue("x" * 500)
    shown = as_root.get(LIST).content.decode()
    assert "x" * 70 in shown
    assert "x" * 80 not in shown


def test_servers_take_the_same_queries_however_many(as_root: Client) -> None:
    server("one")
    few = queries(as_root, "/admin/django_jobs/server/")
    for number in range(20):
        server(f"more-{number}", workers=4)
    assert len(few) == len(queries(as_root, "/admin/django_jobs/server/")) <= 20


def test_servers_show_their_children_and_whether_they_live(as_root: Client) -> None:
    server("zeta")
    server("alpha", alive=False)
    shown = as_root.get("/admin/django_jobs/server/").content.decode()
    assert shown.index("zeta") < shown.index("alpha"), "the living come first"
    assert (shown.count("Alive"), shown.count("Dead")) == (4, 4)
    assert "zeta.scheduler" in shown
    assert "zeta.1" in shown


def test_a_servers_page_tells_its_queues_and_types(as_root: Client) -> None:
    host = server("one")
    host.queues, host.types = ["critical", "default"], ["tests.adds"]
    host.save()
    text = as_root.get(f"/admin/django_jobs/server/{host.pk}/change/").content.decode()
    assert "critical, default" in text
    assert "tests.adds" in text
