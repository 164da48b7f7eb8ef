from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin

from .models import Customer, Invoice, Product

if TYPE_CHECKING:
    CustomerAdminBase = admin.ModelAdmin[Customer]
    InvoiceAdminBase = admin.ModelAdmin[Invoice]
    ProductAdminBase = admin.ModelAdmin[Product]
else:
    CustomerAdminBase = InvoiceAdminBase = ProductAdminBase = admin.ModelAdmin


@admin.register(Customer)
class CustomerAdmin(CustomerAdminBase):
    list_display = ["name", "email", "welcomed_at", "created_at"]
    search_fields = ["name", "email"]


@admin.register(Invoice)
class InvoiceAdmin(InvoiceAdminBase):
    list_display = ["__str__", "customer", "amount", "created_at", "due_at", "reminded_at"]
    list_select_related = ["customer"]
    date_hierarchy = "created_at"


@admin.register(Product)
class ProductAdmin(ProductAdminBase):
    list_display = ["number", "name", "price", "catalogue", "imported_at"]
    list_filter = ["catalogue"]
