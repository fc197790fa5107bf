"""The order of the rooms, the only importers, small files and no pickle.

All is read from the source; nothing is run.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "taskvec_demo"
ROOMS = (  # a module imports only its own room and the rooms before it
    "errors", "core", "clap", "recordings", "serve", "ui",
    "lab.data", "lab.finetuning", "lab.tiny_clap", "lab.exchange", "lab.measuring", "lab.studies",
    "lab.build", "lab.commands", "cli", "__main__", "app",
)  # fmt: skip
ONLY_IMPORTERS = {"transformers": "clap", "gradio": "ui", "accelerate": "lab", "datasets": "lab"}
NEVER = ("laion_clap", "pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")
MAX_LINES = 330

SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}
SOURCES["app.py"] = ROOT / "app.py"


def imported(source: str, module: str) -> set[str]:
    """Absolute names of everything a module imports, inside functions too.

    `module` is its dotted name, with `__init__` for a package; `from a import b` counts as `a.b`.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = module.split(".")[: -node.level] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return found


def room(dotted: str) -> str | None:
    """The room of a module of ours, given its name below the repository; none for other packages."""
    parts = dotted.split(".")
    if parts[0] == "app":
        return "app"
    if parts[0] != "taskvec_demo" or len(parts) == 1:
        return None
    name = ".".join(parts[1:3]) if parts[1] == "lab" else parts[1]
    return name if name in ROOMS else None


def dotted_name(relative: str) -> str:
    return "app" if relative == "app.py" else ".".join(["taskvec_demo", *Path(relative).with_suffix("").parts])


def imports_of(relative: str) -> set[str]:
    return imported(SOURCES[relative].read_text(encoding="utf-8"), dotted_name(relative))


def wrong_imports(own: str, names: set[str]) -> set[str]:
    """Rooms of `names` that lie behind `own` in `ROOMS`, or are lab's and `own` is the app's, or ui and `own` lab's."""
    rooms = {room(name) for name in names} - {None, own}
    forbidden = set(ROOMS[ROOMS.index(own) + 1 :])
    if own.startswith("lab."):
        forbidden.add("ui")
    elif own in ("ui", "app"):
        forbidden |= {name for name in ROOMS if name.startswith("lab.")}
    return rooms & forbidden


def circles(edges: dict[str, set[str]]) -> list[str]:
    """Names that can be reached from themselves along `edges`."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(edges.get(start, ()))
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(edges.get(name, ()))
        return seen

    return [name for name in edges if name in reached(name)]


def calls_without_safety(source: str) -> list[int]:
    """Lines of calls that could unpickle: torch.load without weights_only=True, anything with allow_pickle."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        options = {k.arg: k.value for k in node.keywords}
        if ast.unparse(node.func) == "torch.load":
            weights_only = options.get("weights_only")
            if not (isinstance(weights_only, ast.Constant) and weights_only.value is True):
                lines.append(node.lineno)
        pickled = options.get("allow_pickle")
        if pickled is not None and not (isinstance(pickled, ast.Constant) and pickled.value is False):
            lines.append(node.lineno)
    return lines


# ---- the rules ------------------------------------------------------------------------------------------------------
ROOMED = [r for r in SOURCES if not r.endswith("__init__.py")]


@pytest.mark.parametrize("relative", ROOMED)
def test_a_module_has_a_room_and_imports_only_the_rooms_before_it(relative):
    own = room(dotted_name(relative))
    assert own is not None
    assert wrong_imports(own, imports_of(relative)) == set()


def test_few_files_stand_outside_the_rooms():
    assert len(list(PACKAGE.glob("*.py"))) <= 4


@pytest.mark.parametrize("relative", [r for r in SOURCES if r.endswith("__init__.py")])
def test_importing_a_package_imports_nothing(relative):
    assert imports_of(relative) == set()


def test_no_modules_import_each_other():
    """Imports for types alone count too."""
    names = {dotted_name(relative): relative for relative in SOURCES}
    edges = {
        name: {target for found in imports_of(relative) for target in (found, found.rpartition(".")[0])} & set(names)
        for name, relative in names.items()
    }
    assert len([name for name in edges if edges[name]]) > 50
    assert circles({name: targets - {name} for name, targets in edges.items()}) == []


@pytest.mark.parametrize("package", ONLY_IMPORTERS)
def test_a_package_has_one_importing_room(package):
    importers = {r for r in SOURCES if any(name.split(".")[0] == package for name in imports_of(r))}
    assert {Path(r).parts[0] for r in importers} == {ONLY_IMPORTERS[package]}


@pytest.mark.parametrize("relative", SOURCES)
def test_nothing_imports_pickle_or_laion_clap(relative):
    assert {name for name in imports_of(relative) if name.split(".")[0] in NEVER} == set()
    assert calls_without_safety(SOURCES[relative].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("relative", SOURCES)
def test_files_are_small(relative):
    assert len(SOURCES[relative].read_text(encoding="utf-8").splitlines()) < MAX_LINES


# ---- the checks can fail --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("module", "line", "name"),
    [
        ("taskvec_demo.core.edit", "from ..serve.workbench import Workbench", "taskvec_demo.serve.workbench.Workbench"),
        ("taskvec_demo.core.edit", "from ..serve import workbench", "taskvec_demo.serve.workbench"),
        ("taskvec_demo.lab.measuring.sweep", "from ...ui.app import build_app", "taskvec_demo.ui.app.build_app"),
        ("taskvec_demo.lab.measuring.sweep", "from . import tables", "taskvec_demo.lab.measuring.tables"),
        ("taskvec_demo.ui.__init__", "from .app import build_app", "taskvec_demo.ui.app.build_app"),
        ("taskvec_demo.core.edit", "def f():\n    import transformers.models as m", "transformers.models"),
    ],
)
def test_imports_are_found_in_every_form(module, line, name):
    assert imported(line, module) == {name}


def test_a_wrong_import_is_seen():
    assert wrong_imports("core", {"taskvec_demo.serve.workbench.Workbench", "taskvec_demo.errors"}) == {"serve"}
    assert wrong_imports("ui", {"taskvec_demo.lab.build", "taskvec_demo.ui.controls", "numpy"}) == {"lab.build"}
    assert wrong_imports("app", {"taskvec_demo.lab.data.study.Study", "taskvec_demo.ui.app"}) == {"lab.data"}
    assert wrong_imports("lab.data", {"taskvec_demo.lab.measuring.sweep", "taskvec_demo.ui.app"}) == {
        "lab.measuring",
        "ui",
    }
    assert wrong_imports("lab.measuring", {"taskvec_demo.lab.data.study", "taskvec_demo.serve.workbench"}) == set()


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]
    assert circles({"a": {"b"}, "b": set()}) == []


def test_unsafe_loading_is_seen():
    assert calls_without_safety("torch.load(p)\ntorch.load(p, weights_only=False)\nnp.load(p, allow_pickle=True)") == [
        1,
        2,
        3,
    ]
    assert calls_without_safety("torch.load(p, weights_only=True)\nnp.load(p)\nnp.load(p, allow_pickle=False)") == []
