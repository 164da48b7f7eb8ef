"""The services' commands over HTTP: JSON in and out, with Django's sessions, CSRF check and permissions."""

from __future__ import annotations

import json
from typing import Any

from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_POST

from . import commands
from .models import Invoice


@require_POST
@login_required
@permission_required("dhanman.add_resident", raise_exception=True)
def register(request: HttpRequest) -> JsonResponse:
    """Register a resident; the welcome mail is a job, so the answer does not wait for it."""
    try:
        given = _checked(request.body)
        resident, job = commands.register(**given)
    except (ValueError, ValidationError, commands.CommandRefused) as error:
        return JsonResponse({"error": " ".join(getattr(error, "messages", [str(error)]))}, status=400)
    return JsonResponse({"resident": resident.pk, "job": job.pk}, status=201)


def _checked(body: bytes) -> dict[str, str]:
    given: Any = json.loads(body)
    if not isinstance(given, dict) or set(given) != {"name", "email", "flat"}:
        raise ValueError("give an object with name, email and flat")
    for field, longest in (("name", 100), ("email", 254), ("flat", 20)):
        if not isinstance(given[field], str) or not 0 < len(given[field].strip()) <= longest:
            raise ValueError(f"{field}: give a text of 1 to {longest} characters")
    validate_email(given["email"])
    return given


@require_POST
@login_required
@permission_required("dhanman.approve_invoice", raise_exception=True)
def approve_invoice(request: HttpRequest, invoice_id: int) -> JsonResponse:
    """Approve an invoice; the related systems hear of it by a job of the same transaction."""
    try:
        invoice, job = commands.approve_invoice(invoice_id, request.user)
    except Invoice.DoesNotExist:
        return JsonResponse({"error": f"there is no invoice {invoice_id}"}, status=404)
    except commands.CommandRefused as error:
        return JsonResponse({"error": str(error)}, status=409)
    return JsonResponse({"invoice": invoice.pk, "job": job.pk})
