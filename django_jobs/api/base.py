"""What all views share: JSON in and out, permissions by action, errors in one shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.openapi import AutoSchema
from rest_framework.renderers import JSONRenderer
from rest_framework.viewsets import GenericViewSet

from .errors import answer
from .parsers import BoundedJSONParser
from .permissions import MayAct


class View(GenericViewSet[Any]):
    """Authentication and throttling are as the site's ``REST_FRAMEWORK`` says."""

    permission_classes = [MayAct]
    parser_classes = [BoundedJSONParser]
    renderer_classes = [JSONRenderer]
    schema = AutoSchema()
    needs: ClassVar[dict[str, str]] = {}
    """The permission that each action takes."""

    def get_exception_handler(self) -> Callable[..., Any]:
        return answer
