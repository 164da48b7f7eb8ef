"""Rules of the house that no linter knows, read from the source. Import rules are in pyproject.toml (import-linter)."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

import django_jobs

pytestmark = pytest.mark.once

PACKAGE = Path(django_jobs.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)
TEMPLATES = sorted(PACKAGE.rglob("*.html"))

CLOCKS = {"now": {"timezone", "datetime"}, "utcnow": {"datetime"}, "today": {"date", "datetime"}, "time": {"time"}}
SQL = re.compile(r"\s*(SELECT\s|INSERT\s+INTO\s|UPDATE\s+\S+\s+SET\s|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s)")
SETS_STATE = re.compile(r"\bSET\b(?:(?!\bWHERE\b).)*?\b(?:\w+\.)?state\s*=", re.DOTALL)
INLINE = [
    re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", re.IGNORECASE),
    re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    re.compile(r"\son[a-z]+\s*=\s*[\"']|javascript:", re.IGNORECASE),
]

Rule = Callable[[ast.AST], bool]


def asks_a_clock(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return node.module == "django.utils.timezone" and any(name.name == "now" for name in node.names)
    if not (isinstance(node, ast.Attribute) and node.attr in CLOCKS):
        return False
    return _last_name(node.value) in CLOCKS[node.attr]


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def moves_a_job(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="update" | "aupdate"), keywords=words):
            return any(word.arg == "state" for word in words)
        case ast.Call(func=ast.Attribute(attr="bulk_update" | "save" | "asave")):
            return any(isinstance(part, ast.Constant) and part.value == "state" for part in ast.walk(node))
        case ast.Attribute(attr="state", ctx=ast.Store(), value=owner):
            return _last_name(owner) != "self"
        case ast.Constant(value=str(text)):
            return bool(SETS_STATE.search(text))
    return False


def builds_sql(node: ast.AST) -> bool:
    """A statement put together from values. Names of tables, which are constants, may be formatted in."""
    match node:
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return bool(SQL.match(text))
        case ast.BinOp(op=ast.Mod() | ast.Add(), left=ast.Constant(value=str(text))):
            return bool(SQL.match(text))
        case ast.Call(
            func=ast.Attribute(attr="format", value=ast.Constant(value=str(text))), args=args, keywords=words
        ):
            return bool(SQL.match(text)) and not (
                not args and all(isinstance(w.value, ast.Name) and w.value.id.isupper() for w in words)
            )
        case ast.Call(func=ast.Attribute(attr="execute" | "executemany" | "raw"), args=[first, *_]):
            return isinstance(first, ast.JoinedStr | ast.BinOp)
    return False


def knows_the_admin(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(name.name.startswith("django.contrib.admin") for name in names)
        case ast.ImportFrom(module=str(module), names=names):
            whole = module == "django.contrib" and any(name.name == "admin" for name in names)
            return whole or module.startswith("django.contrib.admin")
    return False


def is_a_long_function(node: ast.AST) -> bool:
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return (node.end_lineno or node.lineno) - node.lineno + 1 > 40


def breaches(rule: Rule, *allowed: str) -> list[str]:
    """Where the package breaks a rule, but for the files and folders that are allowed to."""
    return [
        f"{name}:{getattr(node, 'lineno', 0)}"
        for path in SOURCES
        if not (name := path.relative_to(PACKAGE).as_posix()).startswith(allowed or "\0")
        for node in _nodes(path.read_text())
        if rule(node)
    ]


def _nodes(source: str) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(source))


def test_only_the_clock_asks_for_the_time() -> None:
    assert breaches(asks_a_clock, "clock.py", "server/logs.py") == []


def test_only_the_machine_and_its_statements_write_a_jobs_state() -> None:
    writers = [f"states/{name}.py" for name in ("machine", "moves", "leading")]
    dialects = [f"states/dialects/{name}.py" for name in ("postgresql", "sqlite", "mariadb")]
    assert breaches(moves_a_job, *writers, *dialects) == []


def test_no_statement_is_put_together_from_values() -> None:
    assert breaches(builds_sql) == []


def test_only_the_dashboard_knows_djangos_admin() -> None:
    assert breaches(knows_the_admin, "dashboard/", "admin.py") == []


def test_every_function_fits_one_screen() -> None:
    assert breaches(is_a_long_function) == []


def test_every_file_is_short_and_named_for_what_it_does() -> None:
    assert [path.name for path in SOURCES if len(path.read_text().splitlines()) > 300] == []
    assert [path.name for path in SOURCES if path.stem in {"utils", "helpers", "misc", "common"}] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(PACKAGE / "templates").as_posix())
def test_a_template_needs_no_exception_in_a_content_security_policy(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert [(number, line) for number, line in enumerate(lines, 1) if any(kind.search(line) for kind in INLINE)] == []


@pytest.mark.django_db
def test_the_migrations_say_what_the_models_say() -> None:
    call_command("makemigrations", "django_jobs", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (asks_a_clock, "timezone.now()"),
        (asks_a_clock, "datetime.datetime.now(UTC)"),
        (asks_a_clock, "from django.utils.timezone import now"),
        (asks_a_clock, "time.time()"),
        (moves_a_job, "Job.objects.filter(pk=1).update(state='failed')"),
        (moves_a_job, "job.state = 'failed'"),
        (moves_a_job, "job.save(update_fields=['state'])"),
        (moves_a_job, "cursor.execute('UPDATE job SET run = 1, state = %s WHERE id = 1', [x])"),
        (builds_sql, "cursor.execute(f'SELECT * FROM {table} WHERE id = {value}')"),
        (builds_sql, "x = 'SELECT * FROM a WHERE b = %s' % value"),
        (builds_sql, "x = 'SELECT * FROM a WHERE b = {}'.format(value)"),
        (builds_sql, "cursor.execute(prefix + value)"),
        (knows_the_admin, "from django.contrib import admin"),
        (knows_the_admin, "from django.contrib.admin.models import LogEntry"),
        (is_a_long_function, "def long():\n" + "    pass\n" * 40),
    ],
)
def test_a_breach_is_seen(rule: Rule, source: str) -> None:
    assert any(rule(node) for node in _nodes(source))


@pytest.mark.parametrize(
    ("rule", "source"),
    [
        (asks_a_clock, "clock.now(); time.monotonic()"),
        (moves_a_job, "if job.state == 'failed': self.state = job.state"),
        (moves_a_job, "'UPDATE job SET run = 1 WHERE state = %s'"),
        (builds_sql, "'SELECT * FROM {job} WHERE id = %s'.format(**TABLES)"),
        (is_a_long_function, "def short():\n" + "    pass\n" * 39),
    ],
)
def test_what_is_allowed_passes(rule: Rule, source: str) -> None:
    assert not any(rule(node) for node in _nodes(source))


@pytest.mark.parametrize(
    "line",
    ["<script>x()</script>", '<p style="x">', "<style>", '<a onclick="x()">', '<a href="javascript:x()">'],
)
def test_inline_code_in_a_template_is_seen(line: str) -> None:
    assert any(kind.search(line) for kind in INLINE)


def test_scripts_of_files_and_data_pass() -> None:
    for line in ['<script src="x.js" defer></script>', '<script type="application/json">{}</script>', "<p>one = 1</p>"]:
        assert not any(kind.search(line) for kind in INLINE)
