"""The commands of the lab. Each room adds its own; those that work on a whole study are here.

Nothing here imports more than the parser needs: `--help` must not wait for torch.
"""

from __future__ import annotations

import argparse
from typing import Any

from .data import commands as data
from .data.arguments import add_artifacts, add_command, add_recordings, add_study
from .exchange import commands as exchange
from .finetuning.commands import add_training_options, asked
from .studies import commands as studies
from .tiny_clap import commands as tiny_clap


def register(commands: Any) -> None:
    """Add every command of the lab to the command line."""
    tiny_clap.register(commands)
    sub = _study(commands, "finetune", _finetune, "Fine-tune the task vectors that are not there yet.")
    _add_checkpoint(sub)
    sub.add_argument("--vector", help="only this one")
    add_training_options(sub)
    help = "Measure the points that surfaces are fitted on; `accelerate launch` shares them."
    sub = _study(commands, "sweep", _sweep, help)
    sub.add_argument("--limit", type=int, help="at most so many points in this call; a second call resumes")
    sub.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="default: float32; bfloat16 is faster where the CPU has it, and changes a few answers in a thousand",
    )
    help = "Rebuild or check the tables of the paper's three operations; resumes."
    sub = _study(commands, "tables", _tables, help)
    sub.add_argument("--only", metavar="NAME", help="only this table: negation, addition, analogy, vectors or prompts")
    sub.add_argument("--check", action="store_true", help="measure again and compare with the shipped tables")
    sub.add_argument("--clips", type=int, metavar="N", help="with --check: about N test clips a task, not all")
    help = "Write a checkpoint's whole folder: vectors, heads, surfaces, tables, manifest."
    _add_checkpoint(_study(commands, "build", _build, help))
    help = "Choose what each preset is shown with: vector, sentence, and a clip whose answer flips."
    add_artifacts(add_command(commands, "stories", _stories, help))
    sub = add_command(commands, "card", _card, "Write a built folder's model card anew from its tables.")
    add_artifacts(sub)
    add_study(sub)
    studies.register(commands)
    exchange.register(commands)
    data.register(commands)


def _study(commands: Any, name: str, run: Any, help: str) -> argparse.ArgumentParser:
    """A command on the tasks, recordings and artifacts of a study."""
    parser = add_command(commands, name, run, help, hub=("checkpoint",))
    add_recordings(parser)
    add_artifacts(parser)
    add_study(parser)
    return parser


def _add_checkpoint(parser: argparse.ArgumentParser) -> None:
    help = "what to begin from: a folder or a hub id; `convert` makes a folder of a LAION .pt"
    parser.add_argument("--checkpoint", help=help)


def _finetune(options: argparse.Namespace) -> None:
    from .build import STUDIES, finetune_all
    from .finetuning.training_run import processes

    study, work, data, artifacts = STUDIES[options.study], options.work, options.data, options.artifacts
    vectors = finetune_all(study, work, data, artifacts, options.vector, options.checkpoint, **asked(options))
    if processes().is_main_process:
        for vector in vectors.values():
            print(f"{vector.name}: norm {vector.norm:.2f}, {vector.metadata['metrics']}")
    processes().destroy_process_group()


def _sweep(options: argparse.Namespace) -> None:
    from .build import STUDIES
    from .measuring.sweep import run_sweep

    study = STUDIES[options.study]
    print(run_sweep(study, options.work, options.data, options.artifacts, options.limit, options.precision))


def _tables(options: argparse.Namespace) -> int:
    from .build import STUDIES
    from .measuring.check_tables import check_tables
    from .measuring.shipped_tables import rebuild, selected

    study, folder, only = STUDIES[options.study], options.artifacts, options.only
    if options.check:
        problems, absent = check_tables(study, folder, options.data, options.work, only, options.clips)
        if absent:
            print(f"Not measured again, as their weights are not in {options.work}: the baselines {', '.join(absent)}.")
        print("\n".join(problems) or "Every table is what its checkpoint gives.")
        return int(bool(problems))
    rebuild(study, folder, options.data, options.work, only)
    print(f"{folder / 'tables'} is complete: {', '.join(selected(only))}.")
    return 0


def _build(options: argparse.Namespace) -> None:
    from .build import STUDIES, build

    artifacts = build(STUDIES[options.study], options.work, options.data, options.artifacts, options.checkpoint)
    if artifacts is not None:
        print(f"{artifacts.folder} is complete: {len(artifacts.manifest['files'])} files.")


def _stories(options: argparse.Namespace) -> None:
    from .measuring.stories import write_stories

    for name, story in write_stories(options.artifacts).items():
        print(f"{name}: {story.clip or 'no clip flips'}. {story.sentence}")


def _card(options: argparse.Namespace) -> None:
    from .build import STUDIES
    from .exchange.model_card import run

    run(options, STUDIES[options.study])
