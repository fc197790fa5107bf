"""The command line: look at a checkpoint, classify a file, evaluate a recipe, train and build."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from .clap.embedded import EMBEDDED, REPOSITORY
from .errors import TaskVecError

EXAMPLE = '{"format": 1, "checkpoint": "tiny-clap", "coefficients": {"urban": -0.5}}'
TRAINING = ["at_once", "patience", "trains", "peak_rate", "seed", "runs"]  # options
TRAINING += ["temperature", "rehearsal", "regmean", "scale"]
MAY_BE_HUB_IDS = ("checkpoint", "pretrained", "finetuned", "tokenizer", "artifacts", "source", "repo")  # options


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Exit code 0: done; 1: a check failed; 2: the input was wrong, said in one sentence."""
    options = _parser().parse_args(arguments)
    from .clap.sources import allow_hub  # after --help and usage errors, which need not wait for torch

    allow_hub(*(str(getattr(options, name, "")) for name in MAY_BE_HUB_IDS))
    try:
        return options.run(options) or 0
    except TaskVecError as error:
        print(f"taskvec_demo: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\nstopped; the same command resumes where it was", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m taskvec_demo", description="Task arithmetic on CLAP from the command line."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable, help: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        return sub

    def artifacts(sub: argparse.ArgumentParser, help: str = "folder of one checkpoint") -> None:
        sub.add_argument("--artifacts", type=Path, default=EMBEDDED, help=help)

    def training(sub: argparse.ArgumentParser) -> None:
        sub.add_argument(
            "--data", type=Path, required=True, help="folder of sets, each with clips.csv or as it was published"
        )
        sub.add_argument("--work", type=Path, default=REPOSITORY / ".lab", help="folder for caches and training states")

    def study(sub: argparse.ArgumentParser, checkpoint: bool = True) -> None:
        training(sub)
        artifacts(sub)
        sub.add_argument("--preset", default="tiny", choices=("tiny", "ballanti"), help="the study (default: tiny)")
        if checkpoint:
            sub.add_argument("--checkpoint", help="what to begin from: a folder, a hub id or a LAION .pt")

    def start(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--start", type=Path, help="model folder of a checkpoint that a new run begins from")

    sub = command("info", _info, "Show a checkpoint: its size, tasks, task vectors and figures.")
    sub.add_argument("--checkpoint", help="only what this checkpoint is and needs: a folder, a hub id or a LAION .pt")
    artifacts(sub)
    sub = command("classify", _classify, "Classify a recording with the pre-trained and the edited model.")
    sub.add_argument("file", type=Path, help="wav, flac, ogg, opus or mp3, 0.1 s to 10 min")
    sub.add_argument("--recipe", default="", help=f"JSON, or a file that holds it, such as {EXAMPLE}")
    sub.add_argument("--labels", default="", help="comma separated; default: the checkpoint's own set")
    sub.add_argument("--json", action="store_true", help="print the API's JSON instead of a table")
    artifacts(sub)
    sub = command("evaluate", _evaluate, "Accuracies of every task before and after an edit.")
    sub.add_argument("--recipe", default="", help=f"JSON, or a file that holds it, such as {EXAMPLE}")
    sub.add_argument("--split", default="validation", choices=("validation", "test"))
    sub.add_argument("--data", type=Path, help="labelled recordings: figures are then measured now, on any recipe")
    sub.add_argument("--work", type=Path, default=REPOSITORY / ".lab", help="folder for the cache of features")
    sub.add_argument("--preset", default="tiny", choices=("tiny", "ballanti"), help="the study (default: tiny)")
    sub.add_argument("--json", action="store_true", help="print the API's JSON instead of a table")
    artifacts(sub)
    sub = command("pretrain", _pretrain, "Train the audio tower against the text space; resumes after a stop.")
    training(sub)
    sub.add_argument("--steps", type=int, default=4600, help="of 64 windows, in all; a second call resumes")
    start(sub)
    sub = command("align-text", _align, "Fit the map from the text teacher to the trained audio tower.")
    training(sub)
    start(sub)
    sub = command("distil-text", _distil, "Train the text tower on the phrases of WordNet (needs `wordnet-base`).")
    training(sub)
    sub.add_argument("--minutes", type=float, default=25, help="wall time in all; a second call resumes")
    start(sub)
    sub = command("finetune", _finetune, "Fine-tune the task vectors that are not there yet.")
    study(sub)
    sub.add_argument("--vector", help="only this one")
    sub.add_argument("--trains", metavar="WHAT", help="full (default), last-stage, linear or lora")
    sub.add_argument("--rate", dest="peak_rate", type=float, help="highest learning rate; default: the study's")
    sub.add_argument("--seed", type=int, help="of all that is drawn (default: 0)")
    sub.add_argument("--runs", type=int, metavar="N", help="mean of N trainings of other seeds; default: the study's")
    sub.add_argument("--temperature", type=float, metavar="T", help="what logits are divided by in the loss")
    sub.add_argument("--rehearsal", type=float, metavar="W", help="weight of keeping how other sets embed")
    sub.add_argument("--regmean", type=float, metavar="W", help="weight of the pre-trained model on clips to keep")
    sub.add_argument("--scale", type=float, metavar="S", help="of what is left of the vector after RegMean")
    sub.add_argument("--patience", type=int, metavar="N", help="end after N epochs without a better one on validation")
    sub.add_argument("--batch", dest="at_once", type=int, default=32, metavar="N", help="windows at once, of 64 a step")
    sub = command("sweep", _sweep, "Measure the points that surfaces are fitted on; `accelerate launch` shares them.")
    study(sub, checkpoint=False)
    sub.add_argument("--limit", type=int, help="at most so many points in this call; a second call resumes")
    sub.add_argument("--precision", choices=("float32", "bfloat16"), help="default: bfloat16 where the CPU has it")
    sub = command("tables", _tables, "Rebuild or check the tables of the paper's three operations; resumes.")
    study(sub, checkpoint=False)
    sub.add_argument("--only", metavar="NAME", help="only this table: negation, addition, analogy or vectors")
    sub.add_argument("--check", action="store_true", help="measure again and compare with the shipped tables")
    sub.add_argument("--clips", type=int, metavar="N", help="with --check: about N test clips a task, not all")
    sub = command("build", _build, "Write a checkpoint's whole folder: vectors, heads, surfaces, tables, manifest.")
    study(sub)
    sub = command("card", _card, "Write a built folder's model card anew from its tables.")
    artifacts(sub)
    sub.add_argument("--preset", default="tiny", choices=("tiny", "ballanti"), help="the study (default: tiny)")
    sub = command("convert", _convert, "Turn a LAION .pt into a folder that transformers loads.")
    sub.add_argument("checkpoint", metavar="FILE", help="unfused .pt of laion-clap, HTSAT-tiny or -base with RoBERTa")
    sub.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new folder")
    sub.add_argument("--tokenizer", help="folder or hub id (default: roberta-base, which LAION trained with)")
    sub.add_argument("--verify", action="store_true", help="compare embeddings with the laion-clap package")
    sub = command("vector", _vector, "Make a task vector from a fine-tuned checkpoint, differences or a LoRA adapter.")
    what = "tiny-clap, a folder, a hub id, a LAION .pt or a .safetensors state dict"
    sub.add_argument("--pretrained", required=True, metavar="P", help=f"what training started from: {what}")
    origin = sub.add_mutually_exclusive_group(required=True)
    origin.add_argument("--finetuned", metavar="F", help="the fine-tuned checkpoint, in any of the same forms")
    origin.add_argument("--delta", type=Path, metavar="D", help=".safetensors of differences under ClapModel's names")
    origin.add_argument("--lora", type=Path, metavar="L", help="folder of a LoRA adapter of the audio tower, by peft")
    sub.add_argument("--name", required=True, help="what recipes and sliders call the vector")
    sub.add_argument("--task", default="", help="the task that it was trained on")
    sub.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new .safetensors file")
    artifacts(sub, "folder whose task vectors the new one is compared with")
    data = commands.add_parser(
        "data", help="Check a folder of recordings, or import a data set of the Hugging Face hub."
    )
    data.set_defaults(run=_data)
    actions = data.add_subparsers(required=True, metavar="ACTION", dest="action")
    sub = actions.add_parser("check", help="classes, splits, rates, durations, unreadable files, duplicates and leaks")
    sub.add_argument("folder", type=Path, metavar="DIR", help="a set, or a folder of sets, in any known layout")
    sub.add_argument("--layout", default="auto", help="esc50, urbansound8k, gtzan, …; default: found out")
    sub.add_argument("--rate", type=int, metavar="HZ", help="decode as for a checkpoint of this sampling rate")
    sub.add_argument("--json", action="store_true", help="print everything as JSON instead of a table")
    sub = actions.add_parser("import", help="write a repository of `datasets` as FLAC files and clips.csv")
    sub.add_argument("source", metavar="REPO_OR_FOLDER", help="hub id such as ashraq/esc50, or a folder of parquet")
    sub.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder")
    sub.add_argument("--audio", metavar="COLUMN", help="default: the only column that holds sound")
    sub.add_argument("--label", metavar="COLUMN", help="default: label, labels, class, category, genre or emotion")
    sub.add_argument("--config", help="of a repository that has several")
    sub.add_argument("--revision", help="commit, tag or branch on the hub")
    sub = command("push", _push, "Upload a checkpoint's folder to the hub, for `app.py --artifacts USER/REPO`.")
    sub.add_argument("folder", type=Path, help="what `build` wrote")
    sub.add_argument("repo", help="USER/REPO; made if it is not there")
    sub.add_argument("--private", action="store_true", help="where it is made")
    return parser


def _workbench(options: argparse.Namespace):
    from .serve.artifacts import Artifacts
    from .serve.workbench import Workbench

    return Workbench(Artifacts(options.artifacts))


def _recipe(workbench, text: str):
    path = Path(text)
    is_file = len(text) < 4096 and not text.lstrip().startswith("{") and path.is_file()
    return workbench.recipe(path.read_text(encoding="utf-8") if is_file else text)


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

        study = STUDIES[options.preset]
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
        a, b = (
            f"{100 * r[m]['accuracy']:5.1f} % [{100 * r[m]['low']:4.1f}, {100 * r[m]['high']:5.1f}]"
            for m in ("pretrained", "edited")
        )
        p = "—" if r["mcnemar_p"] is None else f"{r['mcnemar_p']:.3g}"
        print(f"{r['task']:13} {r['role']:8} {r['split']:11} {r['kind']:9} {r['n']:4}  {a}  {b}  {p}")


def _pretrain(options: argparse.Namespace) -> None:
    from .lab.tiny_clap.pretrain import pretrain

    print(pretrain(options.work, options.data, steps=options.steps, start=options.start))


def _align(options: argparse.Namespace) -> None:
    from .lab.tiny_clap.alignment import align

    print(align(options.work, options.data, options.start))


def _distil(options: argparse.Namespace) -> None:
    from .lab.tiny_clap.text_distillation import distil_text

    distil_text(options.work, options.data, minutes=options.minutes, start=options.start)


def _finetune(options: argparse.Namespace) -> None:
    from .lab.build import STUDIES, finetune_all
    from .lab.finetuning.training_run import processes

    vectors = finetune_all(
        STUDIES[options.preset],
        options.work,
        options.data,
        options.artifacts,
        options.vector,
        options.checkpoint,
        **{option: getattr(options, option) for option in TRAINING},
    )
    if processes().is_main_process:
        for vector in vectors.values():
            print(f"{vector.name}: norm {vector.norm:.2f}, {vector.metadata['metrics']}")
    processes().destroy_process_group()


def _sweep(options: argparse.Namespace) -> None:
    from .lab.build import STUDIES
    from .lab.measuring.sweep import run_sweep

    study = STUDIES[options.preset]
    print(run_sweep(study, options.work, options.data, options.artifacts, options.limit, options.precision))


def _tables(options: argparse.Namespace) -> int:
    from .lab.build import STUDIES
    from .lab.measuring.check_tables import check_tables
    from .lab.measuring.shipped_tables import rebuild, selected

    study, folder, only = STUDIES[options.preset], options.artifacts, options.only
    if options.check:
        problems, absent = check_tables(study, folder, options.data, options.work, only, options.clips)
        print("\n".join(problems) or "Every table is what its checkpoint gives.")
        if absent:
            print(f"Not measured again, as their weights are not in {options.work}: the baselines {', '.join(absent)}.")
        return int(bool(problems))
    rebuild(study, folder, options.data, options.work, only)
    print(f"{folder / 'tables'} is complete: {', '.join(selected(only))}.")
    return 0


def _build(options: argparse.Namespace) -> None:
    from .lab.build import STUDIES, build

    study = STUDIES[options.preset]
    artifacts = build(study, options.work, options.data, options.artifacts, options.checkpoint)
    if artifacts is not None:
        print(f"{artifacts.folder} is complete: {len(artifacts.manifest['files'])} files.")


def _card(options: argparse.Namespace) -> None:
    from .lab.build import STUDIES
    from .lab.exchange.model_card import run

    run(options, STUDIES[options.preset])


def _convert(options: argparse.Namespace) -> int:
    from .lab.exchange.convert import run

    return run(options)


def _vector(options: argparse.Namespace) -> None:
    from .lab.exchange.make_vector import run

    run(options)


def _data(options: argparse.Namespace) -> int:
    from .lab.data import check as data_check
    from .lab.data import importer as data_import

    return data_check.run(options) if options.action == "check" else data_import.run(options)


def _push(options: argparse.Namespace) -> None:
    from .lab.exchange.push import push

    print(push(options.folder, options.repo, private=options.private))
