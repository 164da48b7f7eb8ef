"""The documentation tells the truth: its Python runs, its links lead somewhere, the reference leaves nothing out."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import load_command_class

from django_jobs import checks, conf, execution, queues, states
from django_jobs.models import Job
from django_jobs.registry import registry
from django_jobs.states import machine

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "UPGRADING.md"]
PAGES += sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]

FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANY_FENCE = re.compile(r"^(`{3,})[^\n]*\n.*?^\1$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"# (billing/\w+)\.py\n")


def blocks(page: str) -> list[str]:
    return FENCE.findall((ROOT / page).read_text())


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def sources() -> Iterator[ModuleType]:
    """What the reference reads from the code."""
    yield load(DOCS / "_ext" / "sources.py")
    del sys.modules["sources"]


# Python blocks


@pytest.mark.parametrize("page", NAMES)
def test_every_python_block_compiles(page: str) -> None:
    for block in blocks(page):
        compile(block, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


class Site:
    """The site of the walk: blocks that begin with a file's name are its modules, others are typed into its shell."""

    def __init__(self) -> None:
        self.shell: dict[str, Any] = {}
        self.modules: list[str] = ["billing"]
        sys.modules["billing"] = ModuleType("billing")

    def follow(self, page: str) -> None:
        for block in blocks(page):
            if block.startswith("# mysite/settings.py"):
                self.check_settings(block)
            elif found := FILE.match(block):
                self.make_module(found[1].replace("/", "."), block)
            else:
                self.type(block, page)

    def check_settings(self, block: str) -> None:
        given: dict[str, Any] = {"INSTALLED_APPS": []}
        exec(block, given)
        assert given["INSTALLED_APPS"] == ["django_jobs", "billing"]
        assert set(given["RQ_QUEUES"]) <= set(queues.names())
        assert given["RQ"] == {"QUEUE_CLASS": checks.QUEUE_CLASS}

    def make_module(self, name: str, source: str) -> None:
        module = sys.modules.get(name) or ModuleType(name)  # a second block of one file adds to it
        sys.modules[name] = module
        setattr(sys.modules["billing"], name.split(".")[1], module)
        self.modules.append(name)
        exec(compile(source, name, "exec", dont_inherit=True), module.__dict__)

    def type(self, block: str, page: str) -> None:
        exec(compile(block, page, "exec", dont_inherit=True), self.shell)
        work()

    def close(self) -> None:
        for name in self.modules:
            sys.modules.pop(name, None)
        for name in [name for name in registry.names() if name.startswith("billing.")]:
            registry.remove(name)


def work() -> None:
    """What a worker does: run whatever has a bell."""
    client = queues.connect("default", timeout=5)
    try:
        while popped := queues.pop(client, queues.keys_of(queues.names(), ""), 100, 0):
            ids, _ = queues.split(popped[1])
            runs = [execution.run(job, "docs/1") for job in machine.claim(ids, registry.names(), "docs/1")]
            machine.acknowledge(runs, "docs/1")
    finally:
        client.close()


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.mark.django_db(transaction=True)
def test_the_walk_of_the_readme_works(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.follow("README.md")
    printed = capsys.readouterr().out.splitlines()
    assert printed == ["succeeded Invoice for Ada: 120", "['enqueued', 'processing', 'succeeded']"]
    text = (ROOT / "README.md").read_text()
    assert all(f"`{line}`" in text for line in printed), "the README must say what is printed"


@pytest.mark.django_db(transaction=True)
def test_the_quickstart_works(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.follow("docs/quickstart.md")
    printed = capsys.readouterr().out
    assert "args[1] is a builtins.set, which JSON cannot hold" in printed
    assert "succeeded March: 10.90" in printed
    failed = Job.objects.filter(state=states.FAILED)
    assert [job.state_reason for job in failed] == []
    assert set(Job.objects.values_list("job_type", flat=True)) >= {"billing.close_month", "billing.remind"}
    assert Job.objects.get(job_type="billing.remind").result == "Dear ada"
    jobs = sys.modules["billing.jobs"]
    others = [jobs.fetch_rates.enqueue("EUR"), jobs.Report.enqueue(2026), jobs.charge.enqueue(7)]
    others.append(jobs.import_statement.enqueue("may.csv"))
    work()
    assert [job.wait(timeout=1).result for job in others] == ["1 EUR = 1 EUR", 2026, None, None]
    ran = Job.objects.filter(state=states.SUCCEEDED).values_list("job_type", flat=True)
    assert {job_type.name for job_type in registry if job_type.name.startswith("billing.")} == set(ran)


# Links


@pytest.mark.parametrize("page", NAMES)
def test_relative_links_lead_somewhere(page: str) -> None:
    path = ROOT / page
    for target in LINK.findall(ANY_FENCE.sub("", path.read_text())):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        found = (path.parent / file).resolve() if file else path
        assert found.is_file(), f"{page} links to {target}"
        if anchor:
            assert anchor in anchors(found), f"{page} links to {target}"


def anchors(path: Path) -> set[str]:
    """As GitHub and MyST make them from headings, and the explicit ones."""
    text = ANY_FENCE.sub("", path.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return made | set(re.findall(r"^\((\S+)\)=$", text, re.MULTILINE))


@pytest.mark.parametrize("page", NAMES)
def test_every_page_of_the_docs_can_be_reached(page: str) -> None:
    path = ROOT / page
    if path.parent == ROOT or path == DOCS / "index.md":
        return
    linked = {
        (other.parent / target.partition("#")[0]).resolve()
        for other in PAGES
        for target in LINK.findall(other.read_text())
    }
    assert path in linked, f"no page links to {page}"


# The reference


def test_every_setting_is_in_the_reference_with_its_meaning(sources: ModuleType) -> None:
    assert "{from-code} settings" in (DOCS / "reference/settings.md").read_text()
    table = sources.settings_table()
    for key, default, meaning in sources.settings():
        assert meaning, f"conf.DEFAULTS[{key!r}] has no comment above it"
        assert f"| `{key}` | `{default}` | {meaning} |" in table
    assert [setting.key for setting in sources.settings()] == list(conf.DEFAULTS)


def test_every_system_check_is_in_the_reference() -> None:
    ids = set(re.findall(r'id="(django_jobs\.[EW]\d+)"', Path(checks.__file__).read_text()))
    assert ids
    told = set(re.findall(r"`(django_jobs\.[EW]\d+)`", (DOCS / "reference/checks.md").read_text()))
    assert told == ids


def test_every_option_of_runjobs_is_explained(sources: ModuleType) -> None:
    page = (DOCS / "how-to/production.md").read_text()
    help_text = sources.command_help("runjobs")
    parser = load_command_class("django_jobs", "runjobs").create_parser("manage.py", "runjobs")
    options = [action.option_strings[0] for action in sources.own_options(parser)]
    assert "--processes" in options
    assert [option for option in options if not re.search(rf"`{option}\b", page)] == []
    assert [option for option in options if option not in help_text] == []


def test_every_command_is_in_the_reference() -> None:
    folder = ROOT / "django_jobs/management/commands"
    page = (DOCS / "reference/commands.md").read_text()
    commands = [path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")]
    assert [name for name in commands if f"\n## {name}\n" not in page] == []


def test_every_permission_and_verb_is_in_the_reference(sources: ModuleType) -> None:
    permissions = sources.permissions_table()
    verbs = sources.verbs_table()
    for verb in states.VERBS.values():
        assert f"`{verb.permission}`" in permissions
        assert f"| {verb.name} |" in verbs


def test_every_option_of_job_and_of_a_call_is_in_the_quickstart() -> None:
    from django_jobs.client import Options
    from django_jobs.registry import JobType

    page = (DOCS / "quickstart.md").read_text()
    own = {"name", "target", "description"}
    options = (set(JobType.__dataclass_fields__) - own) | set(Options.__dataclass_fields__)
    assert [option for option in sorted(options) if f"`{option}`" not in page] == []


def test_the_picture_of_the_states_shows_every_legal_move(sources: ModuleType) -> None:
    picture = sources.states_svg()
    moves = {(start, end) for start, ends in states.MOVES.items() for end in ends}
    drawn = set(re.findall(r"<title>(\w+) → (\w+)</title>", picture))
    assert drawn == moves
    assert sources.moves_table().count("●") == len(moves)


def test_every_decision_is_listed() -> None:
    folder = DOCS / "decisions"
    index = (folder / "index.md").read_text()
    records = sorted(path.name for path in folder.glob("0*.md"))
    assert [name for name in records if f"]({name})" not in index] == []
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
