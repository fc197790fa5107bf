"""The order of the layers, the only importers, small files and no pickle: read from the source, nothing is run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "taskvec_demo"
LAYERS = (  # a module imports only modules before it
    "errors", "embedded", "tasks", "recipe", "weights", "task_vector", "edit", "audio", "features", "recordings",
    "corpora", "layouts", "labelled", "laion", "tower", "clap", "checkpoints", "zero_shot", "statistics",
    "evaluation", "surface", "artifacts", "cache", "own_vectors", "bare", "exact", "trace", "session",
    "figures", "ui", "lab",
)  # fmt: skip
ENTRY = ("__init__", "__main__")  # the package's own name, and the command line, which starts lab or the app
ONLY_IMPORTERS = {"transformers": "clap", "gradio": "ui", "accelerate": "lab", "datasets": "lab"}
NEVER = ("laion_clap", "pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve")
MAX_LINES = 330

SOURCES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}


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


def layer(dotted: str) -> str | None:
    """The layer that a name below `taskvec_demo` belongs to; none for other packages and for the package itself."""
    parts = dotted.split(".")
    return parts[1] if parts[0] == "taskvec_demo" and len(parts) > 1 and parts[1] in LAYERS else None


def dotted_name(relative: str) -> str:
    return ".".join(["taskvec_demo", *Path(relative).with_suffix("").parts])


def imports_of(relative: str) -> set[str]:
    return imported(SOURCES[relative].read_text(encoding="utf-8"), dotted_name(relative))


def wrong_imports(own: str, names: set[str]) -> set[str]:
    """Imports of `own`'s that lie behind it in `LAYERS`, or are of lab by the app, or of ui by lab."""
    layers = {layer(name) for name in names} - {None, own}
    forbidden = set(LAYERS[LAYERS.index(own) + 1 :]) | ({"ui"} if own == "lab" else {"lab"})
    return layers & forbidden


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
def test_every_module_has_a_layer():
    assert {Path(relative).parts[0].removesuffix(".py") for relative in SOURCES} <= {*LAYERS, *ENTRY}
    assert {"clap.py", "session.py", "lab/sweep.py"} <= set(SOURCES)


@pytest.mark.parametrize("relative", [r for r in SOURCES if Path(r).parts[0].removesuffix(".py") in LAYERS])
def test_a_module_imports_only_the_layers_before_it(relative):
    assert wrong_imports(Path(relative).parts[0].removesuffix(".py"), imports_of(relative)) == set()


def test_importing_the_package_imports_nothing():
    assert imports_of("__init__.py") == set()


def test_the_app_never_imports_lab():
    names = imported((ROOT / "app.py").read_text(encoding="utf-8"), "app")
    assert not any(layer(name) == "lab" for name in names)
    assert any(layer(name) == "ui" for name in names)


@pytest.mark.parametrize("package", ONLY_IMPORTERS)
def test_a_package_has_one_importing_layer(package):
    importers = {r for r in SOURCES if any(name.split(".")[0] == package for name in imports_of(r))}
    assert {r for r in importers if Path(r).parts[0].removesuffix(".py") != ONLY_IMPORTERS[package]} == set()


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
        ("taskvec_demo.edit", "from .session import Workbench", "taskvec_demo.session.Workbench"),
        ("taskvec_demo.edit", "from . import session", "taskvec_demo.session"),
        ("taskvec_demo.lab.sweep", "from ..ui.app import build_app", "taskvec_demo.ui.app.build_app"),
        ("taskvec_demo.lab.sweep", "from . import tiny", "taskvec_demo.lab.tiny"),
        ("taskvec_demo.ui.__init__", "from .app import build_app", "taskvec_demo.ui.app.build_app"),
        ("taskvec_demo.edit", "def f():\n    import transformers.models as m", "transformers.models"),
    ],
)
def test_imports_are_found_in_every_form(module, line, name):
    assert imported(line, module) == {name}


def test_a_wrong_import_is_seen():
    assert wrong_imports("edit", {"taskvec_demo.session.Workbench", "taskvec_demo.weights.Weights"}) == {"session"}
    assert wrong_imports("session", {"taskvec_demo.lab.tiny"}) == {"lab"}
    assert wrong_imports("lab", {"taskvec_demo.ui.app", "taskvec_demo.session", "taskvec_demo.lab.tiny"}) == {"ui"}
    assert wrong_imports("ui", {"taskvec_demo.ui.controls", "taskvec_demo.session", "numpy"}) == set()


def test_unsafe_loading_is_seen():
    assert calls_without_safety("torch.load(p)\ntorch.load(p, weights_only=False)\nnp.load(p, allow_pickle=True)") == [
        1,
        2,
        3,
    ]
    assert calls_without_safety("torch.load(p, weights_only=True)\nnp.load(p)\nnp.load(p, allow_pickle=False)") == []
