from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from .models import Customer, Invoice

if TYPE_CHECKING:
    CustomerAdminBase = admin.ModelAdmin[Customer]
    InvoiceAdminBase = admin.ModelAdmin[Invoice]
else:
    CustomerAdminBase = InvoiceAdminBase = admin.ModelAdmin


@admin.register(Customer)
class CustomerAdmin(CustomerAdminBase):
    list_display = ["name", "email", "welcomed_at", "created_at"]
    search_fields = ["name", "email"]


@admin.register(Invoice)
class InvoiceAdmin(InvoiceAdminBase):
    list_display = ["__str__", "customer", "amount", "created_at", "due_at", "reminded_at"]
    list_select_related = ["customer"]
    date_hierarchy = "created_at"
