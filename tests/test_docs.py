"""The documentation tells the truth: its Python runs, its links lead somewhere, the reference leaves nothing out."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import re
import shlex
import symtable
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.core.management import load_command_class

import django_jobs
from django_jobs import checks, conf, exceptions, execution, queues, search, states
from django_jobs.context import JobContext
from django_jobs.management.verbs import VERBS
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

OWN = {
    "docs/how-to/databases.md": {"BASE_DIR"},
    "docs/how-to/filters.md": {"BankClosed", "JobLog", "statsd"},
}
"""Names that a page takes for the reader's own, or tells of further down."""
EXCERPTS = {
    "docs/examples/dhanman.md": "example_project/dhanman/commands.py",
    "docs/how-to/filters.md": "example_project/shop/filters.py",
}
"""Pages with parts of a file that they name: what the file imports and defines is known there."""


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


@pytest.mark.once
@pytest.mark.parametrize("page", NAMES)
def test_every_name_in_the_python_blocks_is_known(page: str) -> None:
    """Defined, imported, or built in, in the block itself or in one above it."""
    assert unknown(blocks(page), {*OWN.get(page, ()), *_defined_by(EXCERPTS.get(page))}) == set()


def unknown(sources: list[str], known: set[str]) -> set[str]:
    """What the blocks use, read one after the other, and nothing has defined."""
    known = {*known, *dir(builtins)}
    found: set[str] = set()
    for source in sources:
        table = symtable.symtable(source, "block", "exec")
        known |= _defined(table)
        found |= set(_used(table)) - known
    return found


def _defined_by(file: str | None) -> set[str]:
    return _defined(symtable.symtable((ROOT / file).read_text(), file, "exec")) if file else set()


def _defined(table: symtable.SymbolTable) -> set[str]:
    symbols = table.get_symbols()
    return {one.get_name() for one in symbols if one.is_assigned() or one.is_imported() or one.is_namespace()}


def _used(table: symtable.SymbolTable) -> Iterator[str]:
    """Of the module's names, here and in the functions and classes within."""
    for one in table.get_symbols():
        if one.is_referenced() and (one.is_global() or table.get_type() == "module"):
            yield one.get_name()
    for child in table.get_children():
        yield from _used(child)


@pytest.mark.once
@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["print(a)"], {"a"}),
        (["def f(x: T) -> None:\n    return x + y"], {"T", "y"}),
        (
            ["import a\nb = 1", "class C(a.B):\n    c = b\n\n    def d(self):\n        return [e for e in self.c]"],
            set(),
        ),
        (["b = a", "a = 1"], {"a"}),
        (["@job(retry=Retry())\nasync def f(): ..."], {"job", "Retry"}),
    ],
)
def test_a_name_that_nothing_defines_is_seen(sources: list[str], names: set[str]) -> None:
    assert unknown(sources, set()) == names


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
    others += [jobs.import_statement.enqueue("may.csv"), jobs.nightly_report.enqueue()]
    work()
    results = ["1 EUR = 1 EUR", 2026, None, None, "Report of yesterday"]
    assert [job.wait(timeout=1).result for job in others] == results
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
    sources = [Path(checks.__file__), Path(checks.__file__).parent / "tasks_backend" / "backend.py"]
    ids = {id for path in sources for id in re.findall(r'id="(django_jobs\.[EW]\d+)"', path.read_text())}
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


def test_every_field_of_a_search_is_in_the_reference() -> None:
    page = (DOCS / "reference/search.md").read_text()
    assert [field.example for field in search.FIELDS.values() if f"| `{field.example}` |" not in page] == []


def test_every_command_is_in_the_reference() -> None:
    folder = ROOT / "django_jobs/management/commands"
    page = (DOCS / "reference/commands.md").read_text()
    commands = [path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")]
    assert [name for name in commands if f"\n## {name}\n" not in page] == []


def test_every_verb_of_jobs_is_in_the_reference_with_examples_that_parse() -> None:
    page = (DOCS / "reference/commands.md").read_text()
    told = re.findall(r"^### jobs (\S+)$", page, re.MULTILINE)
    assert told == list(VERBS)
    parser = load_command_class("django_jobs", "jobs").create_parser("manage.py", "jobs")
    for verb in told:
        section = page.split(f"\n### jobs {verb}\n")[1].split("\n### ")[0]
        assert f"```{{from-code}} help jobs {verb}\n" in section
        examples = re.findall(r"^python manage.py jobs (.+)$", section, re.MULTILINE)
        assert [line for line in examples if line.split()[0] == verb]
        for line in examples:
            parser.parse_args(shlex.split(line))


def test_every_permission_and_verb_is_in_the_reference(sources: ModuleType) -> None:
    permissions = sources.permissions_table()
    verbs = sources.verbs_table()
    for verb in states.VERBS.values():
        assert f"`{verb.permission}`" in permissions
        assert f"| {verb.name} |" in verbs


def test_every_option_of_job_and_of_a_call_is_in_the_quickstart() -> None:
    from django_jobs.creation import Options
    from django_jobs.registry import JobType

    page = (DOCS / "quickstart.md").read_text()
    own = {"name", "target", "description", "rate_limits"}
    options = (set(JobType.__dataclass_fields__) - own) | set(Options.__dataclass_fields__) | {"rate_limit"}
    assert [option for option in sorted(options) if f"`{option}`" not in page] == []


def test_every_public_name_is_in_the_reference() -> None:
    pages = "\n".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))
    told = set(re.findall(r"auto(?:class|function|exception):: [\w.]+\.(\w+)", pages))
    told |= {name for name in vars(exceptions) if "automodule:: django_jobs.exceptions" in pages}
    assert [name for name in django_jobs.__all__ if name not in told] == []


def test_what_the_pages_say_of_the_context_is_there() -> None:
    named = {word for page in PAGES for word in re.findall(r"`ctx\.(\w+)", page.read_text())}
    assert named - {*dir(JobContext), *JobContext.__dataclass_fields__} == set()


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


def test_the_answer_to_where_jobs_go_tells_the_retention_that_holds() -> None:
    days = {state: kept.days for state, kept in conf.DEFAULT_RETENTION.items() if kept is not None}
    assert (days["succeeded"], days["deleted"]) == (1, 1)
    told = f"(succeeded and deleted ones a day, failed ones {days['failed']} days, unless you say otherwise)"
    assert told in " ".join((DOCS / "faq.md").read_text().split())
