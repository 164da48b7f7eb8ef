from django.urls import path

from . import views

app_name = "dhanman"
urlpatterns = [
    path("register/", views.register, name="register"),
    path("invoices/<int:invoice_id>/approve/", views.approve_invoice, name="approve"),
]
