"""The graph around a job or a batch: its shapes, its bounds, and who sees what of it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from django_jobs import Batch, kinship, states
from django_jobs.exceptions import InvalidJob
from django_jobs.models import Job
from tests.app.jobs import adds, fails, succeeds
from tests.dashboard.conftest import AsUser, claim, finish

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/django_jobs/job/"


def shown(browser: Client, thing: Job | Batch) -> str:
    kind = "job" if isinstance(thing, Job) else "batch"
    answer = browser.get(f"/admin/django_jobs/{kind}/{thing.pk}/change/")
    assert answer.status_code == 200
    return answer.content.decode()


def boxes(text: str) -> Iterator[tuple[str, int, int]]:
    """Spoken text and corner of each box."""
    pattern = r'<g class="dj-node [^"]*" transform="translate\((\d+) (\d+)\)">\s*<title>([^<]*)</title>'
    for x, y, told in re.findall(pattern, text):
        yield told, int(x), int(y)


def lines(text: str) -> list[str]:
    return re.findall(r'<path class="dj-edge [^>]*><title>([^<]*)</title>', text)


def chain(length: int) -> list[Job]:
    jobs = [succeeds.enqueue()]
    while len(jobs) < length:
        jobs.append(jobs[-1].then(succeeds))
    return jobs


def test_a_job_that_is_alone_has_no_graph(as_root: Client) -> None:
    assert "<svg class" not in shown(as_root, succeeds.enqueue())


def test_a_chain_is_drawn_from_wherever_it_is_looked_at(as_root: Client) -> None:
    jobs = chain(12)
    for at in (0, 5, 11):
        text = shown(as_root, jobs[at])
        across = {told.split(",")[0]: x for told, x, _ in boxes(text)}
        assert sorted(across, key=lambda name: across[name]) == [f"#{job.pk}" for job in jobs]
        assert len(set(across.values())) == 12
        assert [told for told, _, _ in boxes(text) if told.endswith("this one")] == [
            f"#{jobs[at].pk}, tests.succeeds, {'Enqueued' if at == 0 else 'Awaiting'}, this one"
        ]
        assert len(lines(text)) == 11


def test_every_box_links_and_is_told_with_its_state(as_root: Client) -> None:
    first = succeeds.enqueue()
    second = first.then(fails)
    claim(first)
    finish(first)
    claim(second)
    finish(second, state=states.FAILED)
    text = shown(as_root, first)
    assert f'<a href="{LIST}{second.pk}/change/" aria-label="#{second.pk}, tests.fails, Failed">' in text
    assert f'aria-label="#{first.pk}, tests.succeeds, Succeeded, this one" aria-current="page"' in text
    assert "dj-node-failed" in text
    assert "dj-node-succeeded dj-here" in text
    assert 'class="dj-node-state">Failed</tspan>' in text, "colour is not all that tells a state"


def test_a_diamond_is_whole_from_its_side(as_root: Client) -> None:
    top = succeeds.enqueue()
    left, right = top.then(succeeds), top.then(succeeds, on="any")
    bottom = adds.using(after=[left, right], on="any").enqueue(1, 2)
    text = shown(as_root, left)
    x = {told.split(",")[0]: x for told, x, _ in boxes(text)}
    assert x[f"#{top.pk}"] < x[f"#{left.pk}"] == x[f"#{right.pk}"] < x[f"#{bottom.pk}"]
    assert sorted(lines(text)) == sorted(
        [
            f"#{left.pk} waits for #{top.pk}: on success",
            f"#{right.pk} waits for #{top.pk}: on any end",
            f"#{bottom.pk} waits for #{left.pk}: on any end",
            f"#{bottom.pk} waits for #{right.pk}: on any end",
        ]
    )
    conditions = re.findall(r'<text class="dj-edge-text"[^>]*>([^<]*)</text>', text)
    assert sorted(conditions) == ["on any end", "on any end", "on success"]


def test_a_met_condition_and_one_that_was_not_look_different(as_root: Client) -> None:
    first = succeeds.enqueue()
    first.then(succeeds)
    first.then(succeeds, on="deleted")
    assert shown(as_root, first).count(" dj-open") == 2
    claim(first)
    finish(first)
    text = shown(as_root, first)
    assert (text.count(" dj-met"), text.count(" dj-unmet")) == (1, 1)


def test_a_batch_stands_in_the_graphs_of_its_members_and_of_what_follows_it(as_root: Client) -> None:
    batch = Batch.start("<bulk>", [succeeds.bind(1).then(succeeds, 2), succeeds.bind(3)])
    first = Job.objects.earliest("pk")
    follower = batch.then(adds, 1, 2)
    for text in (shown(as_root, first), shown(as_root, follower), shown(as_root, batch)):
        assert f"#{follower.pk} waits for Batch #{batch.pk}: on success" in lines(text)
        assert f'aria-label="Batch #{batch.pk}, &lt;bulk&gt;, Started' in text
        assert "<bulk>" not in text
    inside = lines(shown(as_root, batch))
    assert sum(f"belongs to Batch #{batch.pk}" in line for line in inside) == 2, "of two in a row, the later one"
    assert len(list(boxes(shown(as_root, batch)))) == 5


def test_a_batch_within_a_batch_is_drawn(as_root: Client) -> None:
    outer = Batch.start("outer", [Batch.bind("inner", [succeeds.bind(1)])])
    inner = outer.parts.get()
    for batch in (outer, inner):
        assert f"Batch #{inner.pk} belongs to Batch #{outer.pk}" in lines(shown(as_root, batch))


def test_who_may_not_see_jobs_sees_no_members_and_who_may_not_see_batches_no_link(as_user: AsUser) -> None:
    outer = Batch.start("outer", [Batch.bind("inner", [succeeds.bind(1)]), adds.bind(1, 2)])
    outer.then(fails)
    text = shown(as_user("view_batch"), outer)
    assert "tests." not in text
    assert [told.split(",")[1].strip() for told, _, _ in boxes(text)] == ["outer", "inner"]
    member = Job.objects.get(job_type="tests.adds")
    text = shown(as_user("view_job"), member)
    assert "/admin/django_jobs/batch/" not in text
    assert "Batch #" in text


def test_a_parent_that_is_no_longer_stored_leaves_its_place(as_root: Client) -> None:
    first = succeeds.enqueue()
    second = first.then(succeeds)
    Job.objects.filter(pk=first.pk)._raw_delete("default")
    text = shown(as_root, second)
    assert f"#{first.pk}, no longer stored" in [told for told, _, _ in boxes(text)]
    assert f"{LIST}{first.pk}/change/" not in text


def test_a_thousand_children_are_bounded_and_counted(as_root: Client) -> None:
    parent = succeeds.enqueue()
    succeeds.using(after=[parent]).enqueue_many([()] * 1000)
    text = shown(as_root, parent)
    assert len(list(boxes(text))) == kinship.SHOWN
    assert "The 200 nearest are drawn, and 801 more are not." in text
    assert f"#{parent.pk}" in {told.split(",")[0] for told, _, _ in boxes(text)}
    assert len(text) < 400_000
    child = Job.objects.latest("pk")
    told = [told.split(",")[0] for told, _, _ in boxes(shown(as_root, child))]
    assert {f"#{parent.pk}", f"#{child.pk}"} <= set(told)


def test_more_than_are_counted_are_told_as_that_many_or_more(as_root: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinship, "COUNTED", 300)
    batch = Batch.start("big", [succeeds.bind(number) for number in range(400)])
    assert "The 200 nearest are drawn, and 101+ more are not." in shown(as_root, batch)


@pytest.mark.parametrize("shape", ["wide", "deep"])
def test_two_hundred_relatives_take_no_more_queries_than_two(as_root: Client, shape: str) -> None:
    def queries(number: int) -> int:
        if shape == "deep":
            job = chain(number + 1)[number // 2]
        else:
            job = succeeds.enqueue()
            succeeds.using(after=[job]).enqueue_many([()] * number)
        with CaptureQueriesContext(connection) as captured:
            text = shown(as_root, job)
        assert len(list(boxes(text))) == min(number + 1, kinship.SHOWN)
        return len(captured)

    assert queries(2) == queries(200) <= 20


def test_a_graph_cannot_have_a_cycle() -> None:
    batch = Batch.start("bulk", [succeeds.bind(1)])
    follower = batch.then(succeeds)
    with pytest.raises(InvalidJob):
        batch.add([succeeds.using(after=[follower]).bind(2)])
