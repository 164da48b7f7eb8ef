"""Every error in one shape: RFC 9457's problem details, with the fields that were wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from ..call import clean_text
from ..exceptions import (
    CronError,
    DuplicateJob,
    EnqueueCancelled,
    FilterFailed,
    InvalidArgument,
    InvalidJob,
    UnknownRecurringJob,
)

MEDIA_TYPE = "application/problem+json"

TITLES = {
    400: "The request cannot be carried out as it is",
    401: "Nobody is logged in",
    403: "The permission is missing",
    404: "There is no such thing",
    405: "The method is not allowed here",
    406: "That representation is not to be had",
    409: "The state does not allow it",
    413: "The body is too large",
    415: "That media type is not understood",
    422: "The key names another request",
    429: "Too many requests",
    503: "It cannot be answered at the moment",
}


class Conflict(exceptions.APIException):
    """What is asked for is understood, but not in the state in which the thing is."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class Mismatch(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "mismatch"


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """The exception handler of all views here; None for what is a fault of ours."""
    known = _known(error)
    if known is None:
        return None
    set_rollback()
    headers = {}
    if isinstance(known, exceptions.NotAuthenticated | exceptions.AuthenticationFailed) and known.status_code == 401:
        headers["WWW-Authenticate"] = getattr(known, "auth_header", "Session")
    if (pause := getattr(known, "wait", None)) is not None:
        headers["Retry-After"] = str(int(pause) + 1)
    return Response(_problem(known), status=known.status_code, headers=headers, content_type=MEDIA_TYPE)


def answer_plainly(error: Exception, context: dict[str, Any]) -> JsonResponse | None:
    """The same as JSON for views that have no JSON to answer with."""
    told = answer(error, context)
    if told is None:
        return None
    headers = {name: value for name, value in told.items() if name != "Content-Type"}
    return JsonResponse(told.data, status=told.status_code, headers=headers, content_type=MEDIA_TYPE)


def _known(error: Exception) -> exceptions.APIException | None:
    match error:
        case exceptions.APIException():
            return error
        case DuplicateJob() | EnqueueCancelled():
            return Conflict(str(error))
        case FilterFailed():
            return Conflict(f"{error.reason}; nothing was changed.")
        case InvalidJob():
            return exceptions.ValidationError({path_of(error): [error.message]})
        case RequestDataTooBig():
            return TooLarge("The body is larger than the site allows (DATA_UPLOAD_MAX_MEMORY_SIZE).")
        case CronError():
            return exceptions.ValidationError({"cron": [str(error)]})
        case Http404() | UnknownRecurringJob():
            return exceptions.NotFound()
        case PermissionDenied():
            return exceptions.PermissionDenied()
    return None


def path_of(error: InvalidJob) -> str:
    """Where in the body that stands which was wrong: an argument by name is told by its name alone."""
    root = error.field.partition(".")[0].partition("[")[0]
    by_name = isinstance(error, InvalidArgument) and root not in ("args", "headers")
    return f"kwargs.{error.field}" if by_name else error.field


def _problem(error: exceptions.APIException) -> dict[str, Any]:
    found = [(clean_text(field), clean_text(message)) for field, message in _fields(error.detail)]
    named = [{"field": field, "message": message} for field, message in found if field]
    general = [message for field, message in found if not field]
    detail = " ".join(general) or "; ".join(f"{part['field']}: {part['message']}" for part in named)
    return {
        "type": "about:blank",
        "title": TITLES.get(error.status_code, "Error"),
        "status": error.status_code,
        "detail": detail,
        "errors": named,
    }


def _fields(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Each message with the path of its field, as in ``jobs[3].queue``."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            general = name in {"non_field_errors", "detail"}
            below = f"{path}[{name}]" if isinstance(name, int) else f"{path}.{name}".lstrip(".")
            yield from _fields(inner, path if general else below)
    elif isinstance(detail, list):
        for at, inner in enumerate(detail):
            if isinstance(inner, dict | list):
                yield from _fields(inner, f"{path}[{at}]") if inner else ()
            else:
                yield path, str(inner)
    else:
        yield path, str(detail)


@csrf_exempt  # it changes nothing, and Django's own refusal would be a page
def nowhere(request: HttpRequest) -> JsonResponse:
    """The answer of every address below the API's that is none of its."""
    missing = exceptions.NotFound("There is no such address.")
    return JsonResponse(_problem(missing), status=missing.status_code, content_type=MEDIA_TYPE)
