"""What the services promise, by `django_jobs.testing`. To run: ``pytest --ds example_project.settings``."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.test import Client
from django.utils import timezone

from django_jobs import Batch, doctor, groups, schedules
from django_jobs.contrib.broker import Event
from django_jobs.contrib.broker.consumer import handle
from django_jobs.contrib.broker.handlers import handlers
from django_jobs.declared import declarations
from django_jobs.models import Job, ReceivedEvent
from django_jobs.registry import registry
from django_jobs.testing import drain, run_job

from . import commands, policy, roles, seed
from .jobs import common, payroll, sales
from .models import (
    AttendanceSummary,
    CommunityEvent,
    GoodsReceipt,
    Invoice,
    LogLine,
    MaintenanceRequest,
    Payment,
    RefreshToken,
    Report,
    Resident,
    Salary,
    VisitorPass,
)
from .timetables import ROWS

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def society(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "BACKUPS", tmp_path / "backups")
    monkeypatch.setattr(payroll, "PAYSLIPS", tmp_path / "payslips")
    for module in (common, seed):
        monkeypatch.setattr(module, "DIRECTORY", tmp_path / "auth0.json")
    seed.plant(6)


def draft(**facts: Any) -> Invoice:
    given = {"period": "2026-11", "amount": Decimal(1500), "due_at": timezone.now() + 14 * DAY, **facts}
    return Invoice.objects.create(resident=Resident.objects.all()[0], **given)


def tick(id: str) -> Any:
    """Run a recurring job as its timetable would; what it enqueues is left alone. Returns its result."""
    declaration = next(one for one in declarations if one.id == id)
    schedules.add_or_update(id, declaration.job_type, **declaration.terms)
    return run_job(schedules.trigger(id)).result


# Jobs


def test_registering_sends_one_welcome_mail() -> None:
    resident, job = commands.register("Ada", "ada@dhanman.example", "A-1")
    assert [ran.pk for ran in drain()] == [job.pk]
    assert run_job(common.send_welcome_mail.enqueue(resident)).result == "was welcomed before"
    assert [(letter.to, letter.subject) for letter in mail.outbox] == [(["ada@dhanman.example"], "Welcome to Dhanman")]
    assert "Your flat is A-1" in mail.outbox[0].body


def test_create_ledger_and_notify_follow_each_other() -> None:
    invoice = draft()
    sales.process_invoice(invoice)
    assert [job.job_type for job in drain()] == [
        "dhanman.create_invoice",
        "dhanman.update_ledger",
        "dhanman.send_invoice_notification",
    ]
    invoice.refresh_from_db()
    assert (invoice.number, invoice.status) == (f"INV-{invoice.pk:06}", "open")
    assert sorted(entry.amount for entry in invoice.entries.all()) == [-1500, 1500]
    sales.process_invoice(invoice)
    drain()
    assert (invoice.entries.count(), len(mail.outbox)) == (2, 1), "a chain that runs again does nothing twice"


@pytest.mark.parametrize(("paid", "mails"), [(False, 1), (True, 0)])
def test_the_reminder_comes_24_hours_before_unless_it_is_paid(paid: bool, mails: int) -> None:
    invoice = draft(status=Invoice.Status.PAID if paid else Invoice.Status.OPEN)
    reminder = sales.schedule_invoice_reminder(invoice)
    assert reminder.scheduled_at == invoice.due_at - DAY
    assert sales.schedule_invoice_reminder(invoice).pk == reminder.pk, "one reminder for each invoice"
    assert drain(until=invoice.due_at - DAY - timedelta(seconds=1)) == []
    assert len(drain(until=invoice.due_at)) == 1
    assert [letter.subject for letter in mail.outbox] == ["Invoice due tomorrow"] * mails


def test_a_bulk_run_is_a_batch_with_progress_and_a_summary() -> None:
    ids = list(Resident.objects.values_list("pk", flat=True))
    batch = sales.generate_bulk_invoices("2026-11", [*ids, 10**9])
    assert (batch.progress.total, batch.progress.done) == (7, 0)
    drain(until=timedelta(hours=1))
    batch.refresh_from_db()
    assert (batch.state, batch.progress.done, batch.progress.deleted) == ("finished", 6, 1)
    assert Invoice.objects.filter(period="2026-11", status="open").count() == 6
    assert [letter.body for letter in mail.outbox if letter.to == [policy.OFFICE]] == [
        "6 of 7 invoices of 2026-11 were written, 1 could not be"
    ]


def test_what_fails_is_tried_after_1_5_and_15_minutes_and_then_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)
    invoice = draft(status=Invoice.Status.OPEN)
    payment = Payment.objects.create(invoice=invoice, amount=1500, reference="UPI-1")
    job = sales.process_payment.enqueue(payment)
    drain(until=timedelta(hours=1))
    job.refresh_from_db()
    told = list(job.history())
    waits = [
        round((after.created_at - entry.created_at).total_seconds())
        for entry, after in pairwise(told)
        if entry.name == "scheduled"
    ]
    assert job.state == "deleted"
    assert [entry.name for entry in job.history()].count("failed") == 4
    assert waits == [60, 300, 900]
    payment.refresh_from_db()
    assert payment.taken_at is None


def test_a_payment_is_taken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 1.0)
    payment = Payment.objects.create(invoice=draft(status=Invoice.Status.OPEN), amount=1500, reference="UPI-1")
    first, second = (run_job(sales.process_payment.enqueue(payment)).result for _ in range(2))
    assert (first, second) == ("1500.00 taken", "taken before")
    assert Invoice.objects.get(period="2026-11").status == "paid"


def test_every_service_job_has_the_policy_and_the_logger() -> None:
    ours = [kind for kind in registry if kind.name.startswith("dhanman.") and kind.path.startswith(__package__)]
    services = [kind for kind in ours if kind.target.__module__.rpartition(".")[2] != "others"]
    assert len(services) >= 32
    assert all(kind.retry == policy.POLICY and kind.filters == (policy.JobLogger,) for kind in services)


def test_the_logger_tells_of_start_end_and_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "dhanman.jobs")
    run_job(sales.check_overdue_invoices.enqueue())
    run_job(sales.create_invoice.enqueue(10**9), raises=False)
    assert [record.getMessage() for record in caplog.records if record.name == "dhanman.jobs"] == [
        "Starting job: dhanman.check_overdue_invoices",
        "Job completed: dhanman.check_overdue_invoices",
        "Starting job: dhanman.create_invoice",
        "Job failed: dhanman.create_invoice",
    ]


# Recurring jobs


RESULTS: dict[str, tuple[Any, Callable[[], bool]]] = {
    "sync-auth0-users": (
        {"users": 6, "new": 0, "left": 0},
        lambda: not Resident.objects.filter(synced_at=None).exists(),
    ),
    "cleanup-expired-tokens": (4, lambda: RefreshToken.objects.count() == 2),
    "generate-system-health-report": (None, lambda: Report.objects.filter(kind="health").exists()),
    "generate-monthly-invoices": (None, lambda: Batch.objects.get().progress.total == 6),
    "send-payment-reminders": (0, lambda: not mail.outbox),
    "check-overdue-invoices": (6, lambda: Invoice.objects.filter(status="overdue").count() == 6),
    "calculate-late-fees": (0, lambda: True),
    "send-po-approvals": (1, lambda: "PO-1: 1000.00 to Lifts & Co" in mail.outbox[0].body),
    "check-grn-matching": (
        {"matched": 1, "problems": 2},
        lambda: (
            set(GoodsReceipt.objects.values_list("problem", flat=True))
            == {"", "no approved order has this number", "ordered for 3000.00, received for 2999.00"}
        ),
    ),
    "vendor-payment-reminders": (1, lambda: "2000.00 to Lifts & Co" in mail.outbox[0].body),
    "process-monthly-salaries": (None, lambda: Salary.objects.count() == 3),
    "generate-payslips": (None, lambda: Batch.objects.get().progress.total == 0),
    "statutory-compliance-report": (None, lambda: Report.objects.filter(kind="compliance").exists()),
    "attendance-summary": (
        {"present": "2", "absent": "1", "hours": "16.00"},
        lambda: AttendanceSummary.objects.get().present == 2,
    ),
    "send-event-reminders": (6, lambda: CommunityEvent.objects.filter(reminded_at=None).count() == 0),
    "expire-visitor-passes": (3, lambda: VisitorPass.objects.filter(expired=True).count() == 3),
    "maintenance-request-escalation": (2, lambda: MaintenanceRequest.objects.filter(level=1).count() == 2),
    "check-low-stock-alerts": (["Chlorine"], lambda: "Chlorine: 4 of 10" in mail.outbox[0].body),
    "generate-stock-report": (
        {"items": 4, "pieces": 65, "worth": "3250.00"},
        lambda: Report.objects.filter(kind="stock").exists(),
    ),
    "expire-items-check": (0, lambda: True),
    "generate-daily-reports": (None, lambda: Report.objects.get(kind="daily").sent_at is not None),
    "cleanup-old-logs": (1, lambda: LogLine.objects.count() == 2),
    "database-backup": (None, lambda: len(_backup()) > 30),
}


def _backup() -> Any:
    (path,) = common.BACKUPS.iterdir()
    return json.loads(gzip.decompress(path.read_bytes()))


@pytest.mark.parametrize("id", ROWS)
def test_each_recurring_job_does_its_work(id: str) -> None:
    expected, holds = RESULTS[id]
    result = tick(id)
    assert expected is None or result == expected
    assert holds()


@pytest.mark.parametrize("id", ["send-po-approvals", "check-low-stock-alerts", "vendor-payment-reminders"])
def test_a_reminder_that_runs_again_sends_nothing_twice(id: str) -> None:
    tick(id)
    tick(id)
    assert len(mail.outbox) == 1


def test_overdue_invoices_get_one_fee_a_day_and_a_reminder_each() -> None:
    tick("check-overdue-invoices")
    assert [tick("calculate-late-fees") for _ in range(2)] == [6, 0]
    assert set(Invoice.objects.values_list("late_fee", flat=True)) == {Decimal(10)}
    assert tick("send-payment-reminders") == 6
    drain()
    assert len(mail.outbox) == 6


def test_salaries_go_by_days_and_each_payslip_is_a_pdf() -> None:
    month = f"{policy.today().replace(day=1) - DAY:%Y-%m}"
    run_job(payroll.process_monthly_salaries.enqueue(month))
    full, _, none = Salary.objects.order_by("employee").values_list("gross", "provident_fund")
    assert (full, none) == ((Decimal(30000), Decimal(3600)), (Decimal(0), Decimal(0)))
    tick("generate-payslips")
    drain()
    pages = sorted(payroll.PAYSLIPS.iterdir())
    assert [page.read_bytes()[:5] for page in pages] == [b"%PDF-"] * 3
    assert f"Payslip {month}".encode() in pages[0].read_bytes()
    assert tick("statutory-compliance-report")["fund"] == "7200.00"


@pytest.mark.parametrize(
    ("due", "month"),
    [(datetime(2026, 10, 31, 17, 30, tzinfo=UTC), "2026-10"), (datetime(2026, 10, 31, 18, 40, tzinfo=UTC), "2026-11")],
)
def test_salaries_are_those_of_the_month_for_which_they_were_due(due: datetime, month: str) -> None:
    """23:00 on the last day in the zone of the timetable, and ten minutes after midnight; the run is made up later."""
    job = payroll.process_monthly_salaries.enqueue()
    Job.objects.filter(pk=job.pk).update(tick=due)
    result: Any = run_job(job).result
    assert result["month"] == month


def test_who_left_the_directory_is_no_longer_active_and_who_is_new_is_welcomed() -> None:
    users = json.loads(common.DIRECTORY.read_text())
    tick("sync-auth0-users")
    new = {"user_id": "auth0|new", "name": "Noor", "email": "noor@dhanman.example", "flat": "C-9"}
    common.DIRECTORY.write_text(json.dumps([*users[1:], new]))
    assert tick("sync-auth0-users") == {"users": 6, "new": 1, "left": 1}
    drain()
    assert [letter.to for letter in mail.outbox] == [["noor@dhanman.example"]]


# Commands, roles, events


@pytest.fixture
def clerk(client: Client) -> User:
    user = User.objects.create_user("clerk")
    client.force_login(user)
    return user


def test_an_approval_enqueues_in_its_transaction(client: Client, clerk: User) -> None:
    invoice, dear = draft(), draft(period="x", amount=900_000)
    assert client.post(f"/dhanman/invoices/{invoice.pk}/approve/").status_code == 403
    clerk.user_permissions.add(Permission.objects.get(codename="approve_invoice"))
    answer = client.post(f"/dhanman/invoices/{invoice.pk}/approve/")
    assert (answer.status_code, answer.json()["job"]) == (200, Job.objects.get().pk)
    refused = client.post(f"/dhanman/invoices/{dear.pk}/approve/")
    assert (refused.status_code, Job.objects.count()) == (409, 1), "the rollback took its job along"
    assert Invoice.objects.get(pk=dear.pk).approved_at is None
    assert client.post(f"/dhanman/invoices/{invoice.pk}/approve/").status_code == 409
    assert client.post("/dhanman/invoices/0/approve/").status_code == 404
    drain()
    invoice.refresh_from_db()
    assert invoice.exported_at is not None
    assert invoice.entries.count() == 2
    assert invoice.approved_by == clerk


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("{", "Expecting"),
        ({"name": "A"}, "give an object with name, email and flat"),
        ({"name": " ", "email": "a@b.example", "flat": "1"}, "name: "),
        ({"name": "A", "email": "nowhere", "flat": "1"}, "valid email"),
        ({"name": "A", "email": "resident1@dhanman.example", "flat": "1"}, "registered already"),
    ],
)
def test_a_wrong_registration_is_refused(client: Client, clerk: User, body: Any, complaint: str) -> None:
    clerk.user_permissions.add(Permission.objects.get(codename="add_resident"))
    answer = client.post("/dhanman/register/", body, content_type="application/json")
    assert answer.status_code == 400
    assert complaint in answer.json()["error"]
    assert not Job.objects.exists()


def test_registering_answers_before_the_mail_is_sent(client: Client, clerk: User) -> None:
    clerk.user_permissions.add(Permission.objects.get(codename="add_resident"))
    body = {"name": "Ada", "email": "ada@dhanman.example", "flat": "A-1"}
    answer = client.post("/dhanman/register/", body, content_type="application/json")
    assert (answer.status_code, mail.outbox) == (201, [])
    drain()
    assert len(mail.outbox) == 1


def test_staff_may_look_and_admin_may_act() -> None:
    groups.restore()
    of_role = roles.make()
    staff, boss = (User.objects.create_user(name, is_staff=True) for name in ("staff", "boss"))
    staff.groups.set(of_role["dhanman-staff"])
    boss.groups.set(of_role["dhanman-admin"])
    acts = ("django_jobs.cancel_job", "django_jobs.view_payload_job", "dhanman.approve_invoice")
    assert [staff.has_perm(name) for name in ("django_jobs.view_job", *acts)] == [True, False, False, False]
    assert all(boss.has_perm(name) for name in acts)
    job = sales.check_overdue_invoices.enqueue()
    for user, may in ((staff, False), (boss, True)):
        client = Client()
        client.force_login(user)
        page = client.get(f"/admin/django_jobs/job/{job.pk}/change/").content.decode()
        assert ("dj-verb-cancel" in page) is may, user


def test_the_admin_starts_a_batch_and_approves(admin_client: Client) -> None:
    chosen = list(Resident.objects.values_list("pk", flat=True)[:3])
    answer = admin_client.post(
        "/admin/dhanman/resident/", {"action": "write_invoices", "_selected_action": chosen}, follow=True
    )
    batch = Batch.objects.get()
    assert answer.redirect_chain[-1][0] == f"/admin/django_jobs/batch/{batch.pk}/change/"
    assert batch.progress.total == 3
    data = {"action": "approve", "_selected_action": [draft(period="x").pk, draft(period="y", amount=900_000).pk]}
    page = admin_client.post("/admin/dhanman/invoice/", data, follow=True).content.decode()
    assert "is approved; job #" in page
    assert "the committee has to approve it" in page


def test_an_event_schedules_the_reminder_and_notifies() -> None:
    invoice, handler = draft(status=Invoice.Status.OPEN), handlers.get("InvoiceCreated")
    due = datetime(2030, 1, 10, 12, tzinfo=UTC)
    event = Event("e-1", "InvoiceCreated", {"InvoiceId": invoice.pk, "DueDate": due.isoformat()})
    assert [handle(event, handler), handle(event, handler)] == [True, False]
    reminder, notification = Job.objects.order_by("-job_type")[0:2]
    assert {reminder.job_type, notification.job_type} == {
        "dhanman.send_invoice_reminder",
        "dhanman.send_invoice_notification",
    }
    assert Job.objects.get(job_type="dhanman.send_invoice_reminder").scheduled_at == due - DAY
    broken = Event("e-2", "InvoiceCreated", {"InvoiceId": invoice.pk, "DueDate": "tomorrow"})
    with pytest.raises(ValueError, match="DueDate is 'tomorrow'"):
        handle(broken, handler)
    assert (Job.objects.count(), ReceivedEvent.objects.count()) == (2, 1)


def test_the_health_report_repeats_what_the_doctor_finds() -> None:
    wrong = [f"{finding.subject}: {finding.found}" for finding in doctor.examine() if finding.level != "ok"]
    assert wrong
    assert tick("generate-system-health-report")["wrong"][0] == wrong[0]
