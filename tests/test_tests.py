"""Laws of the tests themselves, read from their source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SOURCES = {path.relative_to(TESTS.parent).as_posix(): path.read_text("utf-8") for path in sorted(TESTS.rglob("*.py"))}


def imported_modules(source: str) -> set[str]:
    """Dotted names of all modules that a source imports or may import; `from a import b` counts as `a` and `a.b`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            inside = module.rstrip(".") + "."
            found |= {module, *(inside + alias.name for alias in node.names)}
    return found


def other_tests(source: str) -> set[str]:
    """Test modules and conftest among them."""
    parts = {name: name.split(".") for name in imported_modules(source)}
    return {name for name in parts if any(p.startswith("test_") or p == "conftest" for p in parts[name])}


@pytest.mark.parametrize("name", SOURCES)
def test_no_module_imports_a_test_module_or_conftest(name):
    """What two test modules share is in `tests/support`."""
    assert other_tests(SOURCES[name]) == set()


def test_an_import_of_a_test_module_is_seen():
    assert other_tests("from tests.ui.test_page import opened") == {"tests.ui.test_page", "tests.ui.test_page.opened"}
    assert other_tests("def f():\n    from . import test_page\n    import tests.conftest") == {
        ".test_page",
        "tests.conftest",
    }
    assert other_tests("from tests.support.paths import ROOT\nimport testing") == set()


@pytest.mark.parametrize("name", SOURCES)
def test_no_test_waits_for_a_time_to_pass(name):
    """Playwright's own timer: a wait is for a condition, or for frames where the law is that nothing happens."""
    called = {node.attr for node in ast.walk(ast.parse(SOURCES[name])) if isinstance(node, ast.Attribute)}
    assert "wait_for_timeout" not in called
