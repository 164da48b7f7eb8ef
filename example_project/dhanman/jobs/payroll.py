"""Payroll service: attendance, salaries, payslips."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from django.db.models import Count, Sum

from django_jobs import Batch, JobContext
from example_project.services import FOLDER

from .. import pdf
from ..models import Attendance, AttendanceSummary, Employee, Salary
from ..policy import day_of, scheduled, service_job
from .common import keep_report

PAYSLIPS = FOLDER / "payslips"
FUND = Decimal("0.12")
"""Part of a salary that goes to the provident fund."""
CENT = Decimal("0.01")


@scheduled("process-monthly-salaries")
@service_job("dhanman.process_monthly_salaries", queue="critical", takes_context=True, timeout=600)
def process_monthly_salaries(ctx: JobContext, month: str = "") -> dict[str, str]:
    """Reckon each employee's salary from the days that he was there; the same month again gives the same rows."""
    day = date.fromisoformat(f"{month}-01") if month else day_of(ctx)
    total = Decimal(0)
    for employee in ctx.track(Employee.objects.filter(active=True), name="employees"):
        total += _reckoned(employee, day).gross
    return {"month": f"{day:%Y-%m}", "total": str(total)}


def _reckoned(employee: Employee, day: date) -> Salary:
    days = employee.attendance.filter(day__year=day.year, day__month=day.month, hours__gt=0).count()
    gross = (employee.monthly_salary * days / monthrange(day.year, day.month)[1]).quantize(CENT)
    facts = {"days": days, "gross": gross, "provident_fund": (gross * FUND).quantize(CENT)}
    return Salary.objects.update_or_create(employee=employee, month=f"{day:%Y-%m}", defaults=facts)[0]


@scheduled("generate-payslips")
@service_job("dhanman.generate_payslips", queue="critical", takes_context=True)
def generate_payslips(ctx: JobContext) -> int:
    """Last month's payslips, a job for each."""
    month = f"{day_of(ctx).replace(day=1) - timedelta(days=1):%Y-%m}"
    salaries = Salary.objects.filter(month=month, payslip="").values_list("pk", flat=True)
    return int(Batch.start(f"Payslips of {month}", [write_payslip.bind(pk) for pk in salaries]).pk)


@service_job("dhanman.write_payslip", queue="critical")
def write_payslip(salary_id: int) -> str:
    """Write one payslip as a PDF."""
    salary = Salary.objects.select_related("employee").get(pk=salary_id)
    lines = [
        f"Payslip {salary.month}",
        f"Employee: {salary.employee}",
        f"Days: {salary.days}",
        f"Gross: {salary.gross}",
        f"Provident fund: {salary.provident_fund}",
        f"Net: {salary.gross - salary.provident_fund}",
    ]
    PAYSLIPS.mkdir(parents=True, exist_ok=True)
    path = Path(PAYSLIPS / f"{salary.month}-{salary.employee_id}.pdf")
    path.write_bytes(pdf.page(lines))
    Salary.objects.filter(pk=salary_id).update(payslip=path.name)
    return path.name


@scheduled("statutory-compliance-report")
@service_job("dhanman.statutory_compliance_report", queue="critical", takes_context=True)
def statutory_compliance_report(ctx: JobContext) -> dict[str, str]:
    """What goes to the provident fund for last month."""
    month = f"{day_of(ctx).replace(day=1) - timedelta(days=1):%Y-%m}"
    sums = Salary.objects.filter(month=month).aggregate(
        employees=Count("pk"), gross=Sum("gross"), fund=Sum("provident_fund")
    )
    money = {name: str(Decimal(sums[name] or 0).quantize(CENT)) for name in ("gross", "fund")}
    facts = {"month": month, "employees": str(sums["employees"]), **money}
    keep_report("compliance", facts)
    return facts


@scheduled("attendance-summary")
@service_job("dhanman.attendance_summary", queue="critical", takes_context=True)
def attendance_summary(ctx: JobContext) -> dict[str, str]:
    """Who was there on the day, and for how long."""
    day = day_of(ctx)
    there = Attendance.objects.filter(day=day, hours__gt=0, employee__active=True)
    sums = there.aggregate(present=Count("pk"), hours=Sum("hours"))
    absent = Employee.objects.filter(active=True).count() - sums["present"]
    facts = {"present": sums["present"], "absent": absent, "hours": Decimal(sums["hours"] or 0).quantize(CENT)}
    AttendanceSummary.objects.update_or_create(day=day, defaults=facts)
    return {name: str(value) for name, value in facts.items()}
