"""The language of searches: what is found, what is refused, and what it costs, on every database."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from django_jobs import client, clock, find_jobs, monitoring, search
from django_jobs.models import Job, Metadata
from django_jobs.search import pages, payload
from django_jobs.search.refusals import BadSearch, SearchTimeout
from tests.app.jobs import adds, fails, succeeds
from tests.dashboard.conftest import failed, succeeded

pytestmark = pytest.mark.django_db(transaction=True)


def found(text: str, **options: Any) -> list[int]:
    return list(find_jobs(text, **options).order_by("pk").values_list("pk", flat=True))


@pytest.fixture
def jobs() -> dict[str, int]:
    """A few jobs, by what is special about them."""
    asha = get_user_model().objects.create_user("asha")
    made = {
        "placed": adds.enqueue(7, 8),
        "named": adds.enqueue(x=7, y=9),
        "text": succeeds.enqueue(value={"customer": {"id": 12, "name": "Ada B"}, "paid": True}),
        "hers": succeeds.using(queue="critical", created_by=asha, tags=["acme", 'ä"b']).enqueue("7"),
        "broken": failed("the card was refused", reason="ValueError: no card"),
        "later": succeeds.schedule(timedelta(days=3)),
    }
    Metadata.objects.create(job=made["text"], run=1, data={"customer": "acme", "size": 5})
    return {name: job.pk for name, job in made.items()}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("type:tests.adds", "placed named"),
        ("type:tests.*", "placed named text hers broken later"),
        ("type:*fails,tests.adds", "placed named broken"),
        ("-type:tests.adds -state:failed", "text hers later"),
        ("args.x:7", "placed named"),
        ("args.x:7 args.y:9", "named"),
        ("args.x:7,8 -args.y:8", "named"),
        ("args.value:7", "hers"),
        ('args.value:"7"', "hers"),
        ("args.1:8", "placed"),
        ("kwargs.x:7", "named"),
        ("args.value.customer.id:12", "text"),
        ("kwargs.value.paid:true", "text"),
        ("args.value.customer.name:ada*", "text"),
        ('args.value.customer.name:"Ada B"', "text"),
        ("args.nothing:7", ""),
        ("args.99999999999:7", ""),
        ("metadata.99999999999:7", ""),
        ("args.-1:7", ""),
        ("kwargs.-1:7", ""),
        ("metadata.-1:7", ""),
        ('args.x:"\\"\\\\ud800\\""""', ""),
        ("recurring:night*", ""),
        ("recurring:* state:failed", ""),
        ("metadata.customer:acme", "text"),
        ("metadata.size:5 metadata.customer:a*", "text"),
        ("-metadata.size:5 args.x:7", "placed named"),
        ("tag:acme", "hers"),
        ('tag:"ä\\"b"', "hers"),
        ("tag:acm", ""),
        ("user:asha", "hers"),
        ("user:as*", "hers"),
        ("user:*", "hers"),
        ("-user:asha state:enqueued", "placed named text"),
        ("user:nobody", ""),
        ("queue:critical", "hers"),
        ("queue:crit*,nowhere", "hers"),
        ("state:failed", "broken"),
        ("state:failed,scheduled", "broken later"),
        ("error:card", "broken"),
        ('error:"no card"', "broken"),
        ("error:scheduled", ""),
        ("reason:card", "broken"),
        ("no card", "broken"),
        ("FAILS", "broken"),
        ("ValueError: no card", "broken"),
        ("asha", "hers"),
        ("due:+1d..+5d", "later"),
        ("due>+5d", ""),
        ("due<+5d", "later"),
        ("created>-1h state:failed", "broken"),
        ("created>=today state:failed", "broken"),
        ("created<yesterday", ""),
        ("finished:-1h", "broken"),
        ("finished:>-1h", "broken"),
        ("started:today type:tests.fails", "broken"),
        ("created:2001-01-01..2001-02-01", ""),
        ("priority:0 state:failed", "broken"),
        ("priority>-1 state:failed", "broken"),
        ("", "placed named text hers broken later"),
        ("100%", ""),
        ("_", ""),
    ],
)
def test_a_search_finds(jobs: dict[str, int], text: str, names: str) -> None:
    assert found(text) == sorted(jobs[name] for name in names.split())


def test_in_quotation_marks_a_number_is_text(jobs: dict[str, int]) -> None:
    if connection.vendor == "mysql":
        pytest.skip("MariaDB takes both for the same")
    assert found('args.x:"7"') == []


def test_numbers_find_jobs(jobs: dict[str, int]) -> None:
    one, other = jobs["placed"], jobs["named"]
    assert found(str(one)) == found(f"#{one}") == found(f"id:{one}") == [one]
    assert found(f"id:{one},#{other}") == found(f"id>={one} id<={other}") == [one, other]
    assert found(f"state:enqueued #{other}") == [other]
    assert found("9" * 18) == found("9" * 50) == []


def test_me_is_who_asks(jobs: dict[str, int]) -> None:
    asha = get_user_model().objects.get(username="asha")
    assert found("user:me", by=asha) == [jobs["hers"]]
    assert str(search.compile("user:me", by=asha)) == 'user:"asha"'
    assert found("user:asha") == [jobs["hers"]]
    asha.delete()
    assert found("user:asha") == [jobs["hers"]], "the name stays"


@pytest.mark.parametrize(
    "text",
    [
        "state:failed -type:tests.fails,x.*",
        'error:"no \\"card\\"" args.x:7',
        "created>-1h due:tomorrow",
        "-created:2026-11-01 12 words",
        'metadata."odd key".b:true',
        "user:*",
        'type:"tests.*"',
    ],
)
def test_a_search_written_out_means_the_same_later(text: str) -> None:
    asked = search.compile(text)
    again = search.compile(str(asked))
    assert str(again) == str(asked)
    assert str(again.narrow(monitoring.jobs()).query) == str(asked.narrow(monitoring.jobs()).query)


@pytest.mark.parametrize(
    ("text", "term", "expected"),
    [
        ("colour:red", "colour:red", "there is no field colour. Fields are args, batch"),
        ("state:done", "state:done", "there is no state done; states are scheduled"),
        ("state>failed", "state>failed", "> is not possible here; give state:failed"),
        ("queue:", "queue:", "a value is missing"),
        ("queue:a,,b", "queue:a,,b", "beside a comma"),
        ("queue:,a", "queue:,a", "beside a comma"),
        ("created>soon", "created>soon", "a time is expected: 2026-11-01"),
        ("created:2026-13-01", "created:2026-13-01", "a time is expected"),
        ("created:9999-12-31", "created:9999-12-31", "a time is expected"),
        ("created<-999999w", "created<-999999w", "a time is expected"),
        ("batch:x", "batch:x", "a whole number is expected"),
        ("id>1,2", "id>1,2", "one number is expected after >"),
        ("args:7", "args:7", "a name is missing, as in args.customer:7"),
        ("args.:7", "args.:7", "a name is missing behind the dot"),
        ("queue.x:7", "queue.x:7", "queue has no parts; give queue:critical"),
        ("type:a*b", "type:a*b", "an asterisk stands at the beginning or the end"),
        ("args.x:a*b", "args.x:a*b", "an asterisk stands"),
        ("sla:often", "sla:often", "give broken, wait or run"),
        ('x error:"no card', 'error:"no card', "the quotation mark is not closed"),
        ("x\0y", "x\0y", "no NUL"),
        ("x" * 2001, "x" * 50, "at most 2000 letters"),
        ("a " * 21, "a", "at most 20 terms"),
    ],
)
def test_what_is_not_understood_is_named_with_what_was_expected(text: str, term: str, expected: str) -> None:
    with pytest.raises(BadSearch, match=re.escape(expected)) as caught:
        search.compile(text)
    assert caught.value.term == term


@pytest.mark.parametrize("text", ["args.x:7", "kwargs.x:7", "metadata.a:b", "error:x", "-reason:x"])
def test_who_may_not_see_payloads_does_not_search_in_them(text: str) -> None:
    with pytest.raises(BadSearch, match="permission to see arguments") as caught:
        search.compile(text, payload=False)
    assert caught.value.hidden
    assert search.compile(text).needs_payload


@pytest.mark.parametrize("text", ["args.password:x*", "kwargs.card.apiKey:1", 'metadata."X-Token":1'])
def test_what_nobody_is_shown_cannot_be_found_out(text: str) -> None:
    with pytest.raises(BadSearch, match="shown to nobody"):
        search.compile(text)


def test_nor_by_a_part_of_what_holds_it() -> None:
    inside, beside = succeeds.enqueue(value={"password": "hunter2"}), succeeds.enqueue(["[urgent] hunters"])
    succeeds.enqueue([{"password": "hunter2"}])
    assert found("args.value:*hunter*") == [beside.pk]
    assert found("kwargs.value:*hunter*") == found("args.value:{*") == []
    assert found("-kwargs.value:*hunter* kwargs.value.none:x") == []
    assert inside.pk in found("-args.value:*hunter*")


def test_nor_by_the_place_of_the_argument(monkeypatch: pytest.MonkeyPatch, jobs: dict[str, int]) -> None:
    assert found("args.0:7") == [jobs["placed"], jobs["hers"]]
    monkeypatch.setattr(payload, "hidden_anywhere", lambda name: name == "x")
    assert found("args.0:7") == [jobs["hers"]]


def test_free_text_does_not_look_at_reasons_for_who_may_not_see_payloads(jobs: dict[str, int]) -> None:
    narrow = search.compile("card", payload=False).narrow(monitoring.jobs())
    assert not narrow.exists()


@pytest.mark.parametrize(("text", "few"), [("state:failed", True), ("args.x:7", False), ("type:tests.adds x", False)])
def test_pages_by_key_give_every_match_once(
    monkeypatch: pytest.MonkeyPatch, jobs: dict[str, int], text: str, few: bool
) -> None:
    monkeypatch.setattr(pages, "WINDOW", 2)
    wanted = found(text)[::-1]
    way = search.walk(monitoring.jobs(), search.compile(text))
    assert bool(way.rest) is not few
    seen: list[int] = []
    at = None
    for _ in range(20):
        page = search.page(way, at, size=1, seconds=0)
        seen += [job.pk for job in page.jobs]
        at = page.next
        if at is None:
            break
    assert seen == wanted
    assert search.bounded_count(way, seconds=60).number == len(wanted)


def test_a_state_with_few_jobs_is_sorted_and_not_walked_along() -> None:
    """The planner would look for them among a million newer ones."""
    adds.enqueue_many([(number, 1) for number in range(5)])
    way = search.walk(monitoring.jobs(), search.compile("state:enqueued"))
    assert way.sorted
    assert len(search.page(way, size=3).jobs) == 3


@pytest.mark.parametrize("kept", [False, True])
def test_few_succeeded_jobs_are_found_behind_many_that_wait(monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:
    monkeypatch.setattr(pages, "WINDOW", 2)
    done = [succeeded(1).pk, succeeded(2).pk]
    if kept:  # for ever: no index has it
        Job.objects.filter(pk=done[0]).update(expires_at=None)
    adds.enqueue_many([(number, 1) for number in range(5)])
    way = search.walk(monitoring.jobs(), search.compile("state:succeeded"))
    assert way.sorted is not kept
    page = search.page(way, size=10, seconds=60)
    assert [job.pk for job in page.jobs] == done[::-1]


def test_a_count_that_was_not_finished_says_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "WINDOW", 2)
    adds.enqueue_many([(number, 1) for number in range(5)])
    way = search.walk(monitoring.jobs(), search.compile("args.y:1"))
    assert search.bounded_count(way, seconds=0) == monitoring.Count(2, capped=True)
    assert search.bounded_count(way, cap=3, seconds=60) == monitoring.Count(3, capped=True)
    assert search.bounded_count(way, seconds=60) == monitoring.Count(5)


SLOW = {
    "postgresql": "SELECT pg_sleep(10)",
    "mysql": "SELECT SLEEP(10)",
    "sqlite": "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT MAX(x) FROM n",
}


@pytest.mark.parametrize("inside", [False, True])
def test_a_slow_statement_is_ended_and_the_next_one_is_not(inside: bool) -> None:
    job = adds.enqueue(1, 2)

    def look() -> None:
        began = time.monotonic()
        late = pytest.raises(SearchTimeout, match=r"longer than 0\.2 s")
        with late, search.at_most(0.2), connection.cursor() as cursor:
            cursor.execute(SLOW[connection.vendor])
            cursor.fetchall()
        assert time.monotonic() - began < 5
        with search.at_most(30):
            assert monitoring.jobs().filter(pk=job.pk).exists()
        assert monitoring.get(job.pk).state == "enqueued"
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SHOW statement_timeout")
                assert cursor.fetchone() == ("0",)

    if inside:
        with transaction.atomic():
            look()
    else:
        look()


def test_a_page_of_an_indexed_search_is_one_statement() -> None:
    failed()
    way = search.walk(monitoring.jobs(), search.compile("state:failed"))
    with CaptureQueriesContext(connection) as captured:
        search.page(way, size=10)
    assert len(captured) == 1


def test_jobs_of_a_type_that_is_not_registered_here_are_found_by_keyword(jobs: dict[str, int]) -> None:
    Job.objects.filter(pk=jobs["named"]).update(job_type="elsewhere.adds")
    assert found("args.x:7") == [jobs["placed"], jobs["named"]]
    assert found("args.0:7 type:tests.adds") == [jobs["placed"]]


def test_cancelled_and_failed_jobs_are_told_apart_by_their_reasons() -> None:
    job, broken = fails.enqueue(), failed()
    client.cancel([job.pk])
    assert found("reason:cancelled") == [job.pk]
    assert found("error:cancelled") == []
    assert found("error:ValueError") == [broken.pk]
    assert clock.now() >= broken.created_at
