"""How the page gets its modules, and that Python holds no JavaScript."""

from __future__ import annotations

import ast
import json
import re
import shutil
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from taskvec_demo.ui import live
from taskvec_demo.ui.page import Page

UI = Path(live.__file__).parent
MODULES = sorted(path.name for path in live.WEB.glob("*.js"))
OF_JAVASCRIPT = re.compile(r"addEventListener|querySelector|dispatchEvent|\bwindow\.|\bfunction\b|\bconst\b|=> *\{")


def forget() -> None:
    """Let `live` read its folder anew."""
    live.served.cache_clear()
    live.address.cache_clear()


@pytest.fixture
def web(tmp_path, monkeypatch):
    """A copy of the modules and of their bundle, to change."""
    shutil.copytree(live.WEB, tmp_path / "web")
    monkeypatch.setattr(live, "WEB", tmp_path / "web")
    forget()
    yield tmp_path / "web"
    forget()


def test_the_bundle_is_of_these_modules():
    """`.ci/run` builds it anew, too, and compares every byte."""
    bundled = {path.parent.name for path in live.served().values()} == {live.BUNDLE}
    assert bundled, "modules changed: run `npm run build` and commit taskvec_demo/ui/web/built"


def test_a_changed_module_is_served_itself_at_another_address(web):
    """All of them have another: modules import each other relative to their own address."""
    before = live.address()
    forget()
    assert live.address() == before
    with (web / "recipe.js").open("a") as module:
        module.write("// changed\n")
    forget()
    assert live.address() != before
    assert live.address() in live.call("sweep")
    assert live.address() in live.on_load("startChart")
    assert live.served() == {name: web / name for name in MODULES}


def test_a_changed_bundle_has_another_address(web):
    before = live.address()
    entry = web / live.BUNDLE / live.PAGE
    entry.write_text(entry.read_text("utf-8") + "// another esbuild\n", "utf-8")
    forget()
    assert live.served()[live.PAGE] == entry
    assert live.address() != before


@pytest.mark.parametrize("bundled", [True, False])
def test_every_file_is_needed_by_the_page_or_by_its_studies(web, bundled):
    if not bundled:
        shutil.rmtree(web / live.BUNDLE)
    forget()
    page, studies = live.needed_by(live.PAGE), live.needed_by(live.STUDIES)
    assert sorted({*page, *studies}) == sorted(live.served())
    assert live.STUDIES not in page
    assert live.PAGE not in studies
    assert set(page) & set(studies)
    assert (len(live.served()) < 10) == bundled


def test_what_a_module_imports_is_needed(web):
    (web / "recipe.js").write_text('import { alone } from "./alone.js";\n')
    (web / "alone.js").write_text("export const alone = 1;\n")
    forget()
    assert "alone.js" in live.needed_by(live.PAGE)


@pytest.mark.parametrize("root", ["", "/behind/a/proxy"])
def test_modules_are_served_at_the_root_and_behind_a_proxy(root):
    """A proxy takes its own path away before it asks, and the app is told that path."""
    client = TestClient(FastAPI(**live.serve_modules()["app_kwargs"]), root_path=root)
    for name, path in live.served().items():
        answer = client.get(f"/{live.address()}/{name}")
        assert answer.status_code == 200
        assert answer.text == path.read_text(encoding="utf-8")
        assert answer.headers["content-type"].startswith("text/javascript")
    assert client.get(f"/{live.address()}/theme.css").status_code == 404
    assert client.get("/web/000000000000/page.js").status_code == 404


def javascript(source: str) -> list[str]:
    """Strings of a Python module that are JavaScript; its docstrings are not."""
    nodes = list(ast.walk(ast.parse(source)))
    docs = {id(n.body[0].value) for n in nodes if hasattr(n, "body") and isinstance(n.body, list) and n.body
            and isinstance(n.body[0], ast.Expr)}  # fmt: skip
    strings = (n for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docs)
    return [s.value for s in strings if OF_JAVASCRIPT.search(s.value)]


@pytest.mark.parametrize("path", sorted(UI.rglob("*.py")), ids=lambda p: p.relative_to(UI).as_posix())
def test_python_holds_no_javascript(path):
    assert javascript(path.read_text(encoding="utf-8")) == []


def test_javascript_in_python_is_seen():
    assert javascript("x = 'const a = 1'\ny = '(a) => { return a }'\nz = 'a constant'") == [
        "const a = 1",
        "(a) => { return a }",
    ]


def test_the_pages_json_is_small_and_names_files_that_are_there(workbench):
    """No coefficient of a surface is part of a page load."""
    page = Page(workbench)
    told = live.properties(page)
    assert len(json.dumps(told)) < 20_000
    assert [t["name"] for t in told["tasks"]] == list(workbench.tasks)
    for task in told["tasks"]:
        assert Path(task["file"]).is_file()
        assert len(task["version"]) == 12
    assert page.recipe("", tuple(told["values"])) == page.start
    assert len(told["rows"]) - len(told["vectors"]) == 4  # rows for vectors that the visitor adds
    assert page.aside.isdisjoint(page.main)


@pytest.mark.browser
def test_modules_come_once_from_an_address_that_a_browser_may_keep(new_visitor):
    page = new_visitor()  # who has kept nothing yet
    answers = []
    page.page.on("response", lambda r: answers.append(r) if "/web/" in r.url else None)
    page.open({"urban": 0.5})
    names = [r.url.rsplit("/", 1)[-1] for r in answers]
    assert sorted(names) == live.needed_by(live.PAGE)  # those of studies come with their tab
    assert {r.url.removeprefix(page.server.url).rsplit("/", 1)[0] for r in answers} == {live.address()}
    assert {r.status for r in answers} == {200}
    assert all("immutable" in r.headers["cache-control"] for r in answers)
    assert sum(r.request.sizes()["responseBodySize"] for r in answers) < 50_000
    own = page.page.evaluate("() => Object.keys(window).filter((key) => /^(tv|taskvec)/i.test(key))")
    assert own == ["taskvec"]
    assert page.errors == []
