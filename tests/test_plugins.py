"""Plug-ins are found, handed their configuration and taken in; one that is broken is told of and stops no other."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client, override_settings

from django_jobs import Plugin, checks, doctor, plugins
from django_jobs.contrib.broker.handlers import Handlers, handlers
from django_jobs.declared import declarations
from django_jobs.exceptions import InvalidPlugin
from django_jobs.plugins import finding
from django_jobs.plugins.host import Host
from django_jobs.registry import registry

pytestmark = pytest.mark.once

GREETS = """
from dataclasses import dataclass
from django_jobs import Plugin, job

@dataclass(frozen=True)
class Config:
    word: str
    times: int = 1

plugin = Plugin(Config, needs=["kafka"])

@job("greets.{name}")
def greets():
    return [plugin.config.word * plugin.config.times, plugin.shared["kafka"]]
"""
SHARED = {"kafka": "broker:9092"}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Only the test's own packages are installed; its types, declarations and modules are gone afterwards."""
    types, declared = set(registry.names()), set(declarations.ids())
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(
        finding,
        "entry_points",
        lambda group: [point for package in distributions(path=[str(site)]) for point in package.entry_points],
    )
    yield
    for name in set(declarations.ids()) - declared:
        declarations.remove(name)
    for name in set(registry.names()) - types:
        registry.remove(name)
    for name in [
        name for name in sys.modules if name.split(".")[0].endswith(("_package", "_plugin", "_plugins", "_jobs"))
    ]:
        if not name.startswith(("django_jobs.", "tests.")) and name != "django_jobs":
            del sys.modules[name]


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., None]:
    """Call it to install a package with one plug-in, as pip would leave it."""

    def install(name: str, source: str, *, value: str = "", file: str = "") -> None:
        site, module = tmp_path / "site", f"{name}_package"
        (site / module).mkdir(parents=True)
        (site / module / "__init__.py").write_text(source)
        if file:
            (site / module / f"{name}.toml").write_text(file)
        info = site / f"{module}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[django_jobs.plugins]\n{name} = {value or module}\n")

    return install


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    path.mkdir()
    return path


def host(folder: Path | None = None, **given: Any) -> Host:
    made = Host()
    paths = {} if folder is None else {"PLUGIN_PATHS": [folder]}
    with override_settings(DJANGO_JOBS={"SHARED_CONFIG": SHARED, **paths, **given}):
        made.load()
    return made


def run(name: str) -> Any:
    return registry.get(name).function()


def problem(made: Host) -> str:
    (only,) = made.problems
    assert only.remedy
    return f"{only.subject} {only.what}"


def test_plugins_of_packages_and_of_a_folder_have_their_own_and_the_shared_configuration(
    package: Callable[..., None], folder: Path
) -> None:
    package("alpha", GREETS.format(name="alpha"), file='word = "from a file"')
    package("beta", GREETS.format(name="beta"), value="beta_package:plugin", file='word = "b"\ntimes = 2')
    (folder / "gamma.py").write_text(GREETS.format(name="gamma"))
    (folder / "delta").mkdir()
    (folder / "delta" / "__init__.py").write_text("from .words import *\nfrom .words import plugin")
    (folder / "delta" / "words.py").write_text(GREETS.format(name="delta"))
    (folder / "delta" / "delta.toml").write_text('word = "d"')
    (folder / "_not_me.py").write_text("1 / 0")
    (folder / "notes.txt").write_text("no plug-in")
    made = host(folder, PLUGIN_CONFIG={"gamma": {"word": "c", "times": 3}, "beta": {"times": 1}})
    assert made.problems == []
    assert made.plugins == {name: [f"greets.{name}"] for name in ("alpha", "beta", "delta", "gamma")}
    ran = {name: run(f"greets.{name}") for name in made.plugins}
    words = {"alpha": "from a file", "beta": "b", "gamma": "ccc", "delta": "d"}
    assert ran == {name: [word, "broker:9092"] for name, word in words.items()}


def test_a_file_that_only_has_jobs_is_a_plugin_and_hides_no_module(folder: Path) -> None:
    (folder / "json.py").write_text("from django_jobs import job\n@job()\ndef answers(): return 42\n")
    assert host(folder).plugins == {"json": ["django_jobs_plugins.json.answers"]}
    assert run("django_jobs_plugins.json.answers") == 42
    import json

    assert json.dumps({}) == "{}"


def test_a_clash_of_job_types_names_both_and_leaves_nothing_of_the_second(
    package: Callable[..., None], folder: Path
) -> None:
    package("first", "from django_jobs import job\n@job('same')\ndef one(): return 1\n")
    second = "from django_jobs import job\n@job('other')\ndef other(): ...\n@job('same')\ndef two(): return 2\n"
    (folder / "second.py").write_text(second)
    (folder / "third.py").write_text("from django_jobs import job\n@job('third')\ndef third(): ...\n")
    made = host(folder)
    told = problem(made)
    assert told.startswith(f"Plug-in second (file {folder / 'second.py'}) cannot be used: ")
    assert "'same' is used twice: by first_package.one and by django_jobs_plugins.second.two" in told
    assert told.endswith("The first came with the plug-in first")
    assert made.plugins == {"first": ["same"], "third": ["third"]}
    assert run("same") == 1
    assert "other" not in registry


def test_a_type_of_the_site_is_not_taken_over(folder: Path) -> None:
    (folder / "thief.py").write_text("from django_jobs import job\n@job('tests.adds')\ndef steals(x, y): ...\n")
    assert "by tests.app.jobs.adds and by django_jobs_plugins.thief.steals" in problem(host(folder))
    assert registry.get("tests.adds").path == "tests.app.jobs.adds"


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        ("import no_such_thing", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("def broken(:", "SyntaxError: "),
        ("raise SystemExit('bye')", "SystemExit: bye"),
        ("class E(Exception):\n    def __str__(self): return 1 / 0\nraise E", "E"),
        ("plugin = 7", "plugin is a int; it must be a django_jobs.Plugin"),
        ("@job('late', timeout=-1)\ndef late(): ...", "timeout: is -1"),
    ],
)
def test_a_plugin_that_cannot_be_imported_takes_back_what_it_registered(folder: Path, ending: str, told: str) -> None:
    begins = (
        "from django_jobs import job, recurring\n@recurring('broken', cron='@daily')\n@job('half')\ndef half(): ...\n"
    )
    (folder / "a_broken.py").write_text(begins + ending)
    (folder / "b_works.py").write_text("from django_jobs import job\n@job('works')\ndef works(): ...\n")
    made = host(folder)
    assert told in problem(made)
    assert made.plugins == {"b_works": ["works"]}
    assert "half" not in registry
    assert "broken" not in declarations.ids()


def test_what_two_plugins_share_outlives_the_one_that_is_broken(package: Callable[..., None], tmp_path: Path) -> None:
    package("alpha", "import common_jobs\nraise ValueError('no')")
    package("beta", "import common_jobs")
    (tmp_path / "site" / "common_jobs.py").write_text(
        "from django_jobs import job\n@job('common')\ndef c(): return 3\n"
    )
    made = host()
    assert "alpha" in problem(made)
    assert made.plugins == {"beta": ["common"]}
    assert run("common") == 3


TAKES = """
from django_jobs.contrib.broker import on_event
@on_event("{name}")
def takes(event): return 3
"""


@pytest.fixture
def known() -> Iterator[Handlers]:
    """The handlers of events; those of the test are gone afterwards."""
    before = set(handlers.names())
    yield handlers
    for name in set(handlers.names()) - before:
        handlers.remove(name)


def test_a_broken_plugin_takes_no_events_and_others_may_take_them(known: Handlers, folder: Path) -> None:
    before = known.names()
    (folder / "a_works.py").write_text(TAKES.format(name="Paid"))
    (folder / "b_broken.py").write_text(TAKES.format(name="Sent") + "1 / 0")
    (folder / "c_clashes.py").write_text(TAKES.format(name="Left") + TAKES.format(name="Paid"))
    assert "ZeroDivisionError" in host(folder).problems[0].what
    assert known.names() == sorted([*before, "Paid"])
    assert known.module_of("Paid") == "django_jobs_plugins.a_works"


def test_handlers_that_two_plugins_share_outlive_the_one_that_is_broken(
    known: Handlers, package: Callable[..., None], tmp_path: Path
) -> None:
    package("alpha", "import common_jobs\nraise ValueError('no')")
    package("beta", "import common_jobs")
    (tmp_path / "site" / "common_jobs.py").write_text(TAKES.format(name="Paid"))
    assert "alpha" in problem(host())
    assert known.module_of("Paid") == "common_jobs"


def test_what_brought_its_registry_along_is_taken_back_as_well(
    known: Handlers, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a broken plug-in is the first that imports `on_event`."""
    monkeypatch.setattr(sys.modules["django_jobs.plugins.host"], "REGISTRIES", [registry])
    late = Handlers()
    monkeypatch.setattr("django_jobs.contrib.broker.handlers.handlers", late)
    begins = (
        "from django_jobs.plugins.host import REGISTRIES\n"
        "from django_jobs.contrib.broker.handlers import handlers\n"
        "REGISTRIES.append(handlers)\n"
    )
    (folder / "a.py").write_text(begins + TAKES.format(name="Sent") + "1/0")
    assert "ZeroDivisionError" in problem(host(folder))
    assert late.names() == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "['word'] is missing; it must be str"),
        ({"word": 7}, "['word'] is a int; it must be str"),
        ({"word": "s3cret", "times": "s3cret"}, "['times'] is a str; it must be int"),
        ({"word": "s3cret", "times": True}, "['times'] is a bool; it must be int"),
        ({"wrod": "s3cret"}, "['wrod'] is no field of its configuration; did you mean 'word'?"),
        ("s3cret", "PLUGIN_CONFIG']['alpha'] is a str; it must be a dict"),
    ],
)
def test_a_configuration_that_cannot_be_is_told_by_its_field_and_without_its_value(
    folder: Path, values: Any, told: str
) -> None:
    (folder / "alpha.py").write_text(GREETS.format(name="alpha"))
    found = problem(host(folder, PLUGIN_CONFIG={"alpha": values}))
    assert told in found
    assert "s3cret" not in found
    assert "greets.alpha" not in registry


def test_a_file_that_is_no_toml_is_named(folder: Path) -> None:
    (folder / "alpha.py").write_text(GREETS.format(name="alpha"))
    (folder / "alpha.toml").write_text("word = ")
    assert f"{folder / 'alpha.toml'} cannot be read: Invalid value" in problem(host(folder))


def test_values_for_a_plugin_that_takes_none_are_refused(folder: Path) -> None:
    (folder / "alpha.py").write_text("")
    assert "plugin is missing: values are set for it" in problem(host(folder, PLUGIN_CONFIG={"alpha": {"x": 1}}))


def test_a_shared_key_that_a_plugin_needs_must_be_there(folder: Path) -> None:
    (folder / "alpha.py").write_text(GREETS.format(name="alpha"))
    made = host(folder, PLUGIN_CONFIG={"alpha": {"word": "a"}}, SHARED_CONFIG={"rabbit": "amqp://"})
    assert "DJANGO_JOBS['SHARED_CONFIG'] has no 'kafka', which it needs; it has 'rabbit'" in problem(made)


def test_a_plugin_cannot_change_what_others_are_given() -> None:
    shared = {"kafka": {"servers": ["one"]}}
    plugin, other = Plugin(dict, needs=["kafka"]), Plugin(dict)
    for each in (plugin, other):
        each.hand("name", {"anything": [1]}, shared)
    assert plugin.config == {"anything": [1]}
    with pytest.raises(TypeError):
        plugin.shared["kafka"] = "mine"  # type: ignore[index]
    plugin.shared["kafka"]["servers"].append("two")
    assert other.shared == shared == {"kafka": {"servers": ["one"]}}
    with pytest.raises(InvalidPlugin, match="is that of two plug-ins: 'name' and 'another'"):
        plugin.hand("another", {}, shared)
    with pytest.raises(RuntimeError, match="ask in a job"):
        _ = Plugin(dict).config


def test_two_plugins_of_one_name_are_told_by_where_they_are(package: Callable[..., None], folder: Path) -> None:
    package("alpha", "from django_jobs import job\n@job('alpha')\ndef alpha(): ...\n")
    (folder / "alpha.py").write_text("1 / 0")
    made = host(folder)
    both = f"package alpha_package 1.2 and by file {folder / 'alpha.py'}"
    assert problem(made) == f"Plug-in alpha its name is used twice: by {both}"
    assert made.plugins == {"alpha": ["alpha"]}


def test_the_setting_chooses_among_the_packages(package: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("alpha", "beta"):
        package(name, f"from django_jobs import job\n@job('{name}')\ndef {name}(): ...\n")
    assert host(PLUGINS=[]).plugins == {}
    assert host(PLUGINS=["beta"]).plugins == {"beta": ["beta"]}
    made = host(PLUGINS=["alhpa"])
    assert problem(made) == "DJANGO_JOBS['PLUGINS'] names 'alhpa' and no installed package announces it"
    assert "Did you mean 'alpha'?" in made.problems[0].remedy
    monkeypatch.setenv("DJANGO_JOBS_PLUGINS", "alpha")
    assert host().plugins == {"alpha": ["alpha"]}


def test_a_folder_that_is_not_there_is_told(folder: Path) -> None:
    (folder / "alpha.py").write_text("")
    made = host(PLUGIN_PATHS=[str(folder / "gone"), folder])
    assert "gone cannot be read: " in problem(made)
    assert made.plugins == {"alpha": []}


def test_only_a_misspelt_name_of_a_configuration_is_a_problem(folder: Path) -> None:
    (folder / "alpha.py").write_text("")
    made = host(folder, PLUGIN_CONFIG={"alhpa": {}, "of_another_host": {}})
    assert problem(made) == "DJANGO_JOBS['PLUGIN_CONFIG']['alhpa'] is for no plug-in that is there"


@pytest.mark.parametrize(
    ("key", "value"),
    [("PLUGINS", "alpha"), ("PLUGINS", [1]), ("PLUGIN_PATHS", [1]), ("PLUGIN_CONFIG", []), ("SHARED_CONFIG", "s3cret")],
)
def test_a_setting_of_the_wrong_kind_is_an_error_and_stops_no_plugin(folder: Path, key: str, value: Any) -> None:
    (folder / "alpha.py").write_text("")
    given = {"PLUGIN_PATHS": [folder], key: value}
    assert host(**given).plugins == ({} if key == "PLUGIN_PATHS" else {"alpha": []})
    with override_settings(DJANGO_JOBS=given):
        (error,) = checks.check_settings(None)
    assert error.id == "django_jobs.E002"
    assert key in error.msg
    assert "s3cret" not in error.msg


@pytest.mark.django_db(transaction=True)
def test_check_doctor_and_health_page_tell_what_is_broken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, admin_client: Client
) -> None:
    (folder / "alpha.py").write_text("raise ValueError('<b>no</b>')")
    (folder / "beta.py").write_text("")
    monkeypatch.setattr(plugins, "host", host(folder))
    (warning,) = checks.check_plugins(None)
    assert (warning.id, warning.is_serious()) == ("django_jobs.W003", False)
    assert f"(file {folder / 'alpha.py'}) cannot be used: ValueError: <b>no</b>" in warning.msg
    found = {finding.subject: finding.level for finding in doctor.examine()}
    assert found["Plug-in alpha"] == "error"
    assert found["Plug-ins"] == "ok"
    page = admin_client.get("/admin/django_jobs/server/health/").content.decode()
    assert "Plug-in alpha" in page
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in page
    assert "1 in use: beta" in page


def test_the_blocks_of_the_page_do_what_it_says(tmp_path: Path, package: Callable[..., None]) -> None:
    page = (Path(__file__).resolve().parent.parent / "docs/how-to/plugins.md").read_text()
    written, tested, settings_of_folders, settings_of_plugins = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    module = tmp_path / "site" / "invoices_plugin"
    module.mkdir()
    (module / "__init__.py").write_text(written)
    package("invoices", "", value="invoices_plugin")
    given: dict[str, Any] = {}
    exec(settings_of_plugins, given)
    assert host(**given["DJANGO_JOBS"]).plugins == {"invoices": ["EventTypeA"]}
    said: list[str] = []
    context: Any = SimpleNamespace(log=said.append)
    assert registry.get("EventTypeA").function(context) == "localhost:9092"
    assert said == ["At most 20 of /var/spool/invoices"]
    exec(tested, {})
    registry.get("EventTypeA").function(context)
    assert said[1:] == ["At most 100 of /tmp"]
    exec(settings_of_folders, given)
    assert "Plug-in folder /srv/plugins cannot be read" in problem(host(PLUGINS=[], **given["DJANGO_JOBS"]))
