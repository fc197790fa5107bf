"""The whole study: students, the dial and the plane on validation clips, then every chosen model once on test clips."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....clap.encoder import Encoder
from ....core.files import whole_file
from ....core.task_vector import TaskVector
from ....errors import TaskVecError
from ....recordings.splits import SPLITS, TEST, VALIDATION
from ....serve.artifacts import read_json
from ....serve.studies.speech_music import FORMAT, INITIAL, VECTORS
from ...data.datasets import MelStore, read_rows
from ...tiny_clap.architecture import FEATURES, PREPROCESSOR
from .distillation import TAUGHT_BY, Distilled, Say, distil, warm_up
from .figures import accuracies, compared, difference, mean_accuracy, plain, rank_correlation
from .measure import Judge, Right, Students
from .plan import ENSEMBLE, MUSIC, SPEECH, Plan
from .tasks import SPLIT_BY, Judged, judged_tasks
from .teachers import TEACHERS, Mix, teacher_outputs

FOLDER = "speech-music"  # in the work folder
MADE = "made"  # a folder beside the states: the trained students, which are copied once they are measured
ANSWERS, CHECKED = "answers", "checked"  # the same: what was measured, and what is being measured again


def clips_of(work: Path, data: Path) -> MelStore:
    """The windows that tiny-CLAP's pretraining uses: one cache serves both."""
    return MelStore.open(work, data, FEATURES, read_rows(data))


def train(store: MelStore, data: Path, folder: Path, out: Path, plan: Plan, say: Say) -> list[dict[str, Any]]:
    """Train what is missing, write initialisation and vectors to `out`, and return what each run cost.

    `folder` is that of the states.
    """
    mix = Mix(store, data)
    first = warm_up(mix, plan, folder, say)
    first.tower().save(out / INITIAL, PREPROCESSOR)
    initial, costs = first.weights(), [_cost("warm-up", TAUGHT_BY[ENSEMBLE], first)]
    for name, teachers in TAUGHT_BY.items():
        done = distil(first, name, mix, plan, folder, say)
        vector = TaskVector.between(initial, done.weights(), name, name, {"teachers": list(teachers)})
        vector.save(out / VECTORS.format(name))
        costs.append(_cost(name, teachers, done))
    return costs


def copy_students(made: Path, out: Path) -> None:
    """Copy what `train` wrote into `made` to `out`, each file whole."""
    for file in (INITIAL, *(VECTORS.format(name) for name in TAUGHT_BY)):
        with whole_file(out / file) as temporary:
            shutil.copy(made / file, temporary)


def open_students(out: Path) -> Students:
    """The students as they are shipped. Raises BadArtifactError."""
    encoder = Encoder.open(out / INITIAL)
    vectors = {name: TaskVector.load(out / VECTORS.format(name)) for name in TAUGHT_BY}
    return Students(encoder, vectors)


def _cost(name: str, teachers: Sequence[str], done: Distilled) -> dict[str, Any]:
    seconds = round(done.seconds, 1)
    return {
        "run": name,
        "teachers": list(teachers),
        "steps": done.steps,
        "windows": done.windows,
        "seconds": seconds,
    }


@dataclass(frozen=True)
class Measured:
    """Validation answers: along the dial (λ_speech -> answers), over the plane ((λ_speech, λ_music) -> answers), and of
    what stands still: initialisation, ensemble and both teachers."""

    tasks: Sequence[Judged]
    dial: Mapping[float, Right]
    plane: Mapping[tuple[float, float], Right]
    fixed: Mapping[str, Right]

    @property
    def best_dial(self) -> float:
        """The λ_speech between 0 and 1 with the best mean over the domains; of equals the one nearest to the middle."""
        inside = [x for x in self.dial if 0 <= x <= 1]
        return max(inside, key=lambda x: (round(mean_accuracy(self.tasks, self.dial[x]), 6), -abs(x - 0.5)))

    @property
    def best_plane(self) -> tuple[float, float]:
        """The same over the plane, the smallest λ of equals."""
        return max(self.plane, key=lambda at: (round(mean_accuracy(self.tasks, self.plane[at]), 6), -sum(at)))


def measure(
    store: MelStore, data: Path, folder: Path, out: Path, plan: Plan, say: Say, answers: str = ANSWERS
) -> dict[str, Any]:
    """The contents of study.json without what training cost, from the students in `out`.

    What was measured is kept in `folder`/`answers`.
    """
    students, tasks = open_students(out), judged_tasks(store.rows, plan.per_class)
    judge = Judge(store, tasks, folder / answers)
    heard = {name: teacher_outputs(data, name, store.rows) for name in TEACHERS}

    def fixed(test: bool) -> dict[str, Right]:
        encoder = students.encoder
        own = {
            "initial": judge.student(encoder, encoder.initial, test),
            ENSEMBLE: judge.student(encoder, students.alone(ENSEMBLE), test),
        }
        return own | {f"{name}_teacher": judge.teacher(outputs, test) for name, outputs in heard.items()}

    points = [(s, round(1 - s, 2)) for s in plan.dial] + [(s, m) for m in plan.plane for s in plan.plane]
    found: dict[tuple[float, float], Right] = {}
    for i, at in enumerate(points):
        say(f"probes on validation clips: point {i + 1} of {len(points)}")
        found[at] = judge.student(students.encoder, students.at(*at))
    measured = Measured(
        tasks,
        {s: found[s, round(1 - s, 2)] for s in plan.dial},
        {(s, m): found[s, m] for m in plan.plane for s in plan.plane},
        fixed(test=False),
    )
    say("the chosen models on test clips")
    chosen = {
        SPEECH: (1.0, 0.0),
        MUSIC: (0.0, 1.0),
        "sum": (measured.best_dial, round(1 - measured.best_dial, 2)),
        "plane": measured.best_plane,
    }
    test = fixed(test=True) | {
        name: judge.student(students.encoder, students.at(*at), test=True) for name, at in chosen.items()
    }
    return contents(students, measured, chosen, test)


def contents(
    students: Students, found: Measured, chosen: Mapping[str, tuple[float, float]], test: Mapping[str, Right]
) -> dict[str, Any]:
    """All figures as JSON: shares of 1, rounded to four decimals."""
    tasks, dial = found.tasks, found.dial
    inside = [x for x in dial if 0 <= x <= 1]
    axis = sorted({s for s, _ in found.plane})
    speech, music = students.vectors[SPEECH], students.vectors[MUSIC]
    return {
        "format": FORMAT,
        "tasks": [_task_entry(t) for t in tasks],
        "dial": {"speech": list(dial), "accuracy": _along(tasks, list(dial.values()))},
        "plane": {
            "axis": axis,
            "accuracy": _along(tasks, [found.plane[s, m] for m in axis for s in axis]),
        },
        "fixed": {name: plain(tasks, right) for name, right in found.fixed.items()},
        "chosen": {name: list(at) for name, at in chosen.items()},
        "test": {name: accuracies(tasks, right) for name, right in test.items()},
        "ends": {
            name: difference(tasks, TEST, test[name], test["initial"], name).to_dict() for name in (SPEECH, MUSIC)
        },
        "follows": {
            name: rank_correlation(tasks, VALIDATION, shares, [dial[x] for x in inside], name).to_dict()
            for name, shares in ((SPEECH, inside), (MUSIC, [1 - x for x in inside]))
        },
        "against_ensemble": {
            domain or "all": difference(tasks, TEST, test["sum"], test[ENSEMBLE], domain).to_dict()
            for domain in (*dict.fromkeys(t.domain for t in tasks), None)
        },
        "against_students": {
            name: difference(tasks, TEST, test["sum"], test[name], None).to_dict() for name in (SPEECH, MUSIC)
        },
        "mcnemar": compared(tasks, test["sum"], test[ENSEMBLE]),
        "vectors": {
            SPEECH: round(speech.norm, 3),
            MUSIC: round(music.norm, 3),
            "cosine": round(speech.cosine(music), 3),
        },
    }


def _task_entry(task: Judged) -> dict[str, Any]:
    clips = task.clips
    return {
        "name": task.name,
        "title": clips.task.title,
        "domain": task.domain,
        "classes": len(clips.classes),
        "clips": {split: len(clips.of(split)) for split in SPLITS},
        "test_sources": len(set(clips.source[clips.of(TEST)])),
        "split_by": SPLIT_BY[task.name],
    }


def _along(tasks: Sequence[Judged], points: Sequence[Right]) -> dict[str, list[float]]:
    return {t.name: [round(float(np.mean(right[t.name])), 4) for right in points] for t in tasks}


def check_points(shipped: Path, plan: Plan) -> None:
    """Raise TaskVecError if the figures in the file `shipped` are of other points than those of `plan`."""
    contents = read_json(shipped)
    if (contents["dial"]["speech"], contents["plane"]["axis"]) != (list(plan.dial), list(plan.plane)):
        n = len(contents["dial"]["speech"])
        raise TaskVecError(f"{shipped} has other points, {n} of the dial and not {len(plan.dial)}: is it of --quick?")


def differences(shipped: Mapping[str, Any], fresh: Mapping[str, Any], tolerance: float) -> list[str]:
    """Accuracies in which the two contents disagree by more than `tolerance`, in words."""
    wrong = []

    def compare(where: str, old: float, new: float) -> None:
        if abs(old - new) > tolerance:
            wrong.append(f"{where}: {old:.3f}, now {new:.3f}")

    for kind, at in (("dial", shipped["dial"]["speech"]), ("plane", None)):
        for task, values in fresh[kind]["accuracy"].items():
            for i, (old, new) in enumerate(zip(shipped[kind]["accuracy"][task], values, strict=True)):
                compare(f"{kind}, {task}, {f'λ_speech = {at[i]:g}' if at else f'point {i}'}", old, new)
    for model, entries in fresh["test"].items():
        for task, entry in entries.items():
            compare(f"test, {model}, {task}", shipped["test"][model][task]["accuracy"], entry["accuracy"])
    return wrong
