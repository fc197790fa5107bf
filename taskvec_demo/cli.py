"""The command line: look at a checkpoint, classify a file, evaluate a recipe, train and build."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import TaskVecError, replace_unprintable, sentence
from .lab import commands as lab
from .lab.data.arguments import add_artifacts, add_command, add_study, add_work

EXAMPLE = '{"format": 1, "checkpoint": "tiny-clap", "coefficients": {"urban": -0.5}}'


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit code 0: done; 1: a check failed; 2: the input was wrong, and one sentence says how."""
    replace_unprintable()
    options = _parser().parse_args(arguments)
    from .clap.hub import allow_hub  # imported late, because --help and usage errors need not wait for torch
    from .serve.opening import named_in

    artifacts = getattr(options, "artifacts", None)
    named = named_in(Path(artifacts)) if artifacts else []
    allow_hub(*(str(getattr(options, name, "")) for name in ("artifacts", *options.hub)), *named)
    try:
        return options.run(options) or 0
    except BrokenPipeError:  # the reader of our output, such as `head`, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (TaskVecError, OSError) as error:
        print(f"taskvec_demo: {sentence(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nstopped; the same command resumes where it was", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m taskvec_demo", description="Task arithmetic on CLAP from the command line."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    help = "Show a checkpoint: its size, tasks, task vectors and figures."
    sub = add_command(commands, "info", _info, help, hub=("checkpoint",))
    sub.add_argument("--checkpoint", help="only what this checkpoint is and needs: a folder, a hub id or a LAION .pt")
    add_artifacts(sub)
    help = "Classify a recording with the pre-trained and the edited model."
    sub = add_command(commands, "classify", _classify, help)
    sub.add_argument(
        "file", type=Path, help="wav, flac, ogg, opus or mp3 (with ffmpeg also m4a, webm …), 0.1 s to 10 min"
    )
    _add_recipe(sub)
    sub.add_argument("--labels", default="", help="separated by commas or new lines; default: the checkpoint's own set")
    sub = add_command(commands, "evaluate", _evaluate, "Accuracies of every task before and after an edit.")
    _add_recipe(sub)
    sub.add_argument("--split", default="validation", choices=("validation", "test"), help="default: validation")
    sub.add_argument("--data", type=Path, help="labelled recordings: figures are then measured now, on any recipe")
    add_work(sub, "folder for the cache of features (default: .lab)")
    add_study(sub)
    lab.register(commands)
    return parser


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recipe", default="", help=f"JSON, or a file with JSON or YAML, such as {EXAMPLE}")
    parser.add_argument("--json", action="store_true", help="print the API's JSON instead of a table")
    add_artifacts(parser)


def _workbench(options: argparse.Namespace):
    from .serve.artifacts import Artifacts
    from .serve.workbench import Workbench

    return Workbench(Artifacts(options.artifacts))


def _recipe(workbench, text: str):
    from .core.recipe_files import read_recipe
    from .errors import BadRecipeError

    if text.lstrip().startswith("{") or not os.path.isfile(text):
        return workbench.recipe(text)
    try:
        content = Path(text).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRecipeError(f"{text} is no text in UTF-8; a recipe in JSON or YAML is accepted.") from error
    return workbench.check(read_recipe(content))


def _info(options: argparse.Namespace) -> None:
    if options.checkpoint:
        from .clap.sources import describe, resolve

        print(describe(resolve(options.checkpoint)))
        return
    workbench = _workbench(options)
    model = sum(p.numel() for p in workbench.checkpoint.model.parameters())
    edited = workbench.checkpoint.pretrained.layout.size
    print(f"{workbench.name}: {model / 1e6:.1f} M parameters, {edited / 1e6:.1f} M edited")
    print(f"pre-trained sha256 {workbench.artifacts.pretrained_sha256}")
    print("\ntasks")
    for task in workbench.tasks.values():
        print(f"  {task.name:12} {task.role:8} {len(task.class_names):3} classes  {task.source}, {task.licence}")
    print("\ntask vectors")
    for vector in workbench.vectors.values():
        print(f"  {vector.name:14} norm {vector.norm:6.2f}  sha256 {vector.sha256[:12]}  task {vector.task}")
    print("\nrecipes chosen on validation (`evaluate --split test` knows their figures)")
    for preset in workbench.artifacts.presets.values():
        print(f"  {preset.title:26} {preset.recipe.formula(order=list(workbench.vectors))}")


def _classify(options: argparse.Namespace) -> None:
    workbench = _workbench(options)
    recipe = _recipe(workbench, options.recipe)
    result = workbench.classify(options.file, recipe, options.labels)
    if options.json:
        print(json.dumps(result.to_dict(), ensure_ascii=False))
        return
    print(f"{recipe.formula()}\n{result.seconds:.1f} s, {result.windows} window(s)")
    for note in result.notes:
        print(note)
    shown = sorted(result.pretrained, key=lambda k: -max(result.pretrained[k], result.edited[k]))[:8]
    print(f"{'label':40} pre-trained  edited")
    for label in shown:
        print(f"{label[:40]:40} {100 * result.pretrained[label]:9.1f} % {100 * result.edited[label]:6.1f} %")


def _evaluate(options: argparse.Namespace) -> None:
    workbench = _workbench(options)
    recipe = _recipe(workbench, options.recipe)
    if options.data:
        from .lab.build import STUDIES
        from .lab.measuring.shipped_tables import measured_results

        study = STUDIES[options.study]
        results = measured_results(study, options.artifacts, options.data, options.work, recipe, options.split)
    else:
        results = workbench.figures(recipe, options.split)
    if options.json:
        print(json.dumps(results, ensure_ascii=False))
        return
    print(recipe.formula())
    head = f"{'task':13} {'role':8} {'split':11} {'kind':9} {'n':>4}"
    print(f"{head}  {'pre-trained':21} {'edited':21} McNemar p")
    for r in results:
        a, b = (_accuracy(r[m]) for m in ("pretrained", "edited"))
        p = "—" if r["mcnemar_p"] is None else f"{r['mcnemar_p']:.3g}"
        print(f"{r['task']:13} {r['role']:8} {r['split']:11} {r['kind']:9} {r['n']:4}  {a:21}  {b:21}  {p}")


def _accuracy(figures: Mapping[str, Any]) -> str:
    """An accuracy with its interval in percent, or "none" if there was no clip to measure it on."""
    if figures["accuracy"] is None:
        return "none"
    return f"{100 * figures['accuracy']:5.1f} % [{100 * figures['low']:4.1f}, {100 * figures['high']:5.1f}]"
