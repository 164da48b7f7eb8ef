"""Under django-unfold every page opens, in its colours."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from django.contrib.auth import get_user_model

from tests.dashboard.everywhere import furnish

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

ASK = """
import json, sys, django
django.setup()
from django.contrib.auth import get_user_model
from django.test import Client
from tests.dashboard.everywhere import pages
from django.contrib import admin
browser = Client()
browser.force_login(get_user_model().objects.get(username="root"))
found = pages(browser, json.loads(sys.argv[1]), admin.site)
print(json.dumps({name: "unfold.css" in browser.get(to).content.decode() for name, to in found.items()}))
"""


def test_every_page_opens_in_the_colours_of_unfold(server_environment: dict[str, str]) -> None:
    get_user_model().objects.create_superuser("root")
    environment = {**server_environment, "DJANGO_SETTINGS_MODULE": "tests.settings_unfold"}
    asked = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(furnish())], env=environment, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr
    coloured = json.loads(asked.stdout)
    assert len(coloured) > 12
    assert all(there for name, there in coloured.items() if not name.endswith("_history")), coloured
