"""The services in the stock admin; two actions start jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse

from . import commands, models
from .jobs.sales import generate_bulk_invoices
from .policy import today

if TYPE_CHECKING:
    ResidentAdminBase = admin.ModelAdmin[models.Resident]
    InvoiceAdminBase = admin.ModelAdmin[models.Invoice]
else:
    ResidentAdminBase = InvoiceAdminBase = admin.ModelAdmin


@admin.register(models.Resident)
class ResidentAdmin(ResidentAdminBase):
    list_display = ["name", "flat", "email", "monthly_dues", "active", "welcomed_at"]
    list_filter = ["active"]
    search_fields = ["name", "email", "flat"]
    actions = ["write_invoices"]

    @admin.action(description="Write this month's invoices", permissions=["add_invoice"])
    def write_invoices(self, request: HttpRequest, residents: QuerySet[models.Resident]) -> HttpResponseRedirect:
        batch = generate_bulk_invoices(f"{today():%Y-%m}", list(residents.values_list("pk", flat=True)))
        self.message_user(request, f"Batch #{batch.pk} writes {residents.count()} invoice(s).")
        return HttpResponseRedirect(reverse("admin:django_jobs_batch_change", args=[batch.pk]))

    def has_add_invoice_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("dhanman.add_invoice")


@admin.register(models.Invoice)
class InvoiceAdmin(InvoiceAdminBase):
    list_display = ["__str__", "resident", "status", "amount", "due_at", "approved_by", "late_fee", "notified_at"]
    list_filter = ["status"]
    list_select_related = ["resident", "approved_by"]
    search_fields = ["number", "period", "resident__name"]
    actions = ["approve"]

    @admin.action(description="Approve", permissions=["approve"])
    def approve(self, request: HttpRequest, invoices: QuerySet[models.Invoice]) -> None:
        for invoice in invoices:
            try:
                _, job = commands.approve_invoice(invoice.pk, request.user)
                self.message_user(request, f"{invoice} is approved; job #{job.pk} tells the related systems.")
            except commands.CommandRefused as error:
                self.message_user(request, str(error), messages.ERROR)

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("dhanman.approve_invoice")


COLUMNS: dict[Any, list[str]] = {
    models.LedgerEntry: ["invoice", "account", "amount", "posted_at"],
    models.Payment: ["reference", "invoice", "amount", "taken_at"],
    models.PurchaseOrder: ["number", "vendor", "amount", "approved", "received_at"],
    models.VisitorPass: ["visitor", "resident", "valid_until", "expired"],
    models.MaintenanceRequest: ["what", "resident", "level", "opened_at", "done"],
    models.StockItem: ["name", "quantity", "reorder_level", "expires_on", "expired"],
    models.Salary: ["employee", "month", "days", "gross", "provident_fund", "payslip"],
    models.Report: ["kind", "day", "facts", "sent_at"],
}
for model, columns in COLUMNS.items():
    admin.site.register(model, list_display=columns)
