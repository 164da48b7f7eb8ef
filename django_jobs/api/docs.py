"""The schema of this API and the page that shows it, whatever else the site's own schema holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.templatetags.static import static
from django.urls import reverse
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from .. import __version__
from .errors import answer_plainly
from .permissions import MayRead

DESCRIPTION = """Background jobs: enqueue, watch and steer them.

Times are ISO 8601 with a zone. Errors are problem details (RFC 9457) with the fields that were wrong.
"""


def say_strict(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Bodies are read strictly: what they do not know, they refuse."""
    for name, component in result["components"]["schemas"].items():
        if name.endswith("Request"):
            component["additionalProperties"] = False
    return result


class Schema(SpectacularAPIView):
    """OpenAPI 3."""

    permission_classes = [MayRead]

    def get_exception_handler(self) -> Callable[..., Any]:
        return answer_plainly

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        root = reverse("django_jobs_api:schema").removesuffix("schema/")
        self.custom_settings = {
            "TITLE": "django_jobs",
            "DESCRIPTION": DESCRIPTION,
            "VERSION": __version__,
            "SERVERS": [{"url": root.rstrip("/") or "/"}],
            "SCHEMA_PATH_PREFIX": "/",
            "POSTPROCESSING_HOOKS": ["drf_spectacular.hooks.postprocess_schema_enums", f"{__name__}.say_strict"],
            "COMPONENT_SPLIT_REQUEST": True,
            "ENUM_NAME_OVERRIDES": {"StateName": "django_jobs.api.serializers.NAMES"},
        }
        answer: Response = super().get(request, *args, **kwargs)
        return answer


class Docs(SpectacularSwaggerSplitView):
    """Swagger's page, from files of this site; no inline script."""

    permission_classes = [MayRead]
    url_name = "django_jobs_api:schema"
    template_name = "django_jobs/api_docs.html"
    title = "django_jobs"

    def get_exception_handler(self) -> Callable[..., Any]:
        return answer_plainly

    @staticmethod
    def _swagger_ui_resource(filename: str) -> str:
        return static(f"drf_spectacular_sidecar/swagger-ui-dist/{filename}")

    @staticmethod
    def _swagger_ui_favicon() -> str:
        return static("drf_spectacular_sidecar/swagger-ui-dist/favicon-32x32.png")
