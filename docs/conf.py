"""Sphinx: MyST Markdown, parts of the reference read from the code. Needs no database and no Redis."""

from __future__ import annotations

import sys
from pathlib import Path

import django
from django.conf import settings

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

settings.configure(
    INSTALLED_APPS=[
        "django_jobs",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "drf_spectacular",
        "drf_spectacular_sidecar",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    RQ_QUEUES={"default": {"URL": "redis://localhost:6379/0"}},
    USE_TZ=True,
    DJANGO_JOBS={"PLUGINS": []},
)
django.setup()

from django_jobs import __version__  # noqa: E402

project = "django-durable-jobs"
author = "The authors of django-durable-jobs"
copyright = f"2026, {author}"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "from_code"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"django-durable-jobs {release}"
html_show_sphinx = False
html_show_copyright = False
