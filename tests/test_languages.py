"""The dashboard's languages: nothing is left untranslated, and what is compiled is what is written."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.test import Client, override_settings

import django_jobs

LOCALE = Path(django_jobs.__file__).parent / "locale"
LANGUAGES = {"de": ("Hintergrundjobs", "Fehlgeschlagen"), "hi": ("पृष्ठभूमि के काम", "विफल")}
PLACEHOLDER = re.compile(r"%\(\w+\)[sdg]|%%|\{\}|</?\w+")

Entry = dict[str, str]


def entries(language: str) -> list[Entry]:
    """What the catalogue's source says, with its header as the first entry."""
    text = (LOCALE / language / "LC_MESSAGES" / "django.po").read_text()
    return [_entry(block) for block in text.strip().split("\n\n")]


def _entry(block: str) -> Entry:
    found: Entry = {}
    key = ""
    for line in block.splitlines():
        name, _sign, quoted = line.partition(" ")
        if line.startswith("#"):
            found["flags"] = found.get("flags", "") + line
        elif line.startswith('"'):
            found[key] += ast.literal_eval(line)
        else:
            key = name
            found[key] = ast.literal_eval(quoted)
    return found


@pytest.mark.once
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_has_its_translation_with_the_same_placeholders(language: str) -> None:
    _header, *found = entries(language)
    assert len(found) > 500
    for entry in found:
        assert "fuzzy" not in entry.get("flags", ""), entry["msgid"]
        translations = {name: text for name, text in entry.items() if name.startswith("msgstr")}
        assert len(translations) == (2 if "msgid_plural" in entry else 1), entry["msgid"]
        for name, text in translations.items():
            assert text, entry["msgid"]
            source = entry["msgid_plural"] if name == "msgstr[1]" else entry["msgid"]
            assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(source)), entry["msgid"]


@pytest.mark.once
def test_the_languages_have_the_same_texts() -> None:
    assert len({frozenset(entry["msgid"] for entry in entries(language)) for language in LANGUAGES}) == 1


@pytest.mark.once
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language: str) -> None:
    with (LOCALE / language / "LC_MESSAGES" / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for entry in entries(language)[1:]:
        if "msgid_plural" in entry:
            both = {compiled.ngettext(entry["msgid"], entry["msgid_plural"], number) for number in (1, 2)}
            assert both == {entry["msgstr[0]"], entry["msgstr[1]"]}, entry["msgid"]
        else:
            assert compiled.gettext(entry["msgid"]) == entry["msgstr"]


@pytest.mark.django_db
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list_of_jobs_speaks_the_language(language: str) -> None:
    browser = Client()
    browser.force_login(get_user_model().objects.create_superuser("root"))
    with override_settings(LANGUAGE_CODE=language):
        page = browser.get("/admin/django_jobs/job/").content.decode()
    for text in LANGUAGES[language]:
        assert text in page
