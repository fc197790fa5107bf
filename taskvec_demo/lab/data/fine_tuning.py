"""How one task vector is trained: every option of a fine-tuning is declared here, and only here.

What `option` declares is checked when a `FineTuning` is made, is an option of `python -m taskvec_demo finetune`, and is
kept in the metadata of the trained vector. Using a new option is all that is left to write.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeVar, get_args

from ...errors import TaskVecError

Trains = Literal["full", "last-stage", "linear", "lora"]
TRAINS: tuple[Trains, ...] = get_args(Trains)
AUGMENTATIONS = ("full", "light")  # light: gain and position only, and no mixup
T = TypeVar("T", int, float, str)


@dataclass(frozen=True)
class Accepted:
    """The values that an option may have, in words and as a test."""

    words: str
    test: Callable[[Any], bool]


FROM_ZERO = Accepted("a number from 0", lambda value: 0 <= value < math.inf)
ZERO_TO_ONE = Accepted("a number from 0 to 1", lambda value: 0 <= value <= 1)
COUNT = Accepted("a whole number from 1", lambda value: value >= 1)


def one_of(values: tuple[str, ...]) -> Accepted:
    return Accepted(f"one of {', '.join(values)}", lambda value: value in values)


@dataclass(frozen=True)
class Option:
    """One declared option; `afterwards`: it only says what becomes of finished trainings, and changes none of them."""

    name: str
    default: Any
    help: str
    accepted: Accepted
    flag: str
    afterwards: bool

    @property
    def said(self) -> str:
        """What `--help` says of it."""
        return f"{self.help}, {self.accepted.words} (default: the study's)"


def option(default: T, help: str, accepted: Accepted, *, flag: str = "", afterwards: bool = False) -> T:
    """A field of `FineTuning` that is an option of the command line, called `flag` there if it has another name."""
    said = {"help": help, "accepted": accepted, "flag": flag, "afterwards": afterwards}
    return field(default=default, metadata={"option": said})


def options(kind: type[FineTuning]) -> Iterator[Option]:
    """The declared options, in order."""
    for one in fields(kind):
        if said := one.metadata.get("option"):
            yield Option(one.name, one.default, **{**said, "flag": said["flag"] or one.name.replace("_", "-")})


@dataclass(frozen=True)
class FineTuning:
    """How one task vector is trained. Raises TaskVecError for a value that its option does not accept."""

    vector: str
    task: str
    epochs: int
    only_class: str | None = None  # the class that a vector of the analogy learns
    also: tuple[str, ...] = ()  # sets whose training clips, of the task's classes, are learned with those of the task
    trains: str = option("full", "which parameters are trained", one_of(TRAINS))
    rank: int = option(8, "rank of LoRA", COUNT)
    alpha: int = option(16, "alpha of LoRA: the update is alpha / rank · B A", COUNT)
    peak_rate: float = option(3e-4, "highest learning rate", ZERO_TO_ONE, flag="rate")
    # Each training has a seed of its own.
    runs: int = option(1, "number of trainings of whose weights the mean is taken", COUNT, afterwards=True)
    # They come before the epochs and cost a minute at most.
    projection: int = option(0, "steps in which the projection alone is trained first", FROM_ZERO)
    augmentation: str = option("full", "how training windows are changed", one_of(AUGMENTATIONS))
    timbre: float = option(0.0, "probability that a batch gets other timbres", ZERO_TO_ONE)
    # 1 − cosine, over training clips of other sets.
    rehearsal: float = option(0.0, "weight in the loss of keeping how other sets embed", FROM_ZERO)

    def __post_init__(self) -> None:
        for one in options(type(self)):
            value = getattr(self, one.name)
            if not one.accepted.test(value):
                raise TaskVecError(f"The option {one.flag} is {one.accepted.words}, not {value!r}.")
        if self.timbre and self.augmentation != "full":
            raise TaskVecError(f"The option timbre is 0 if the augmentation is {self.augmentation!r}.")
        if self.projection and self.trains != "full":
            raise TaskVecError(f"The option projection is 0 if only a part is trained (here {self.trains!r}).")

    def chosen(self) -> dict[str, Any]:
        """The value of every option, by name."""
        return {one.name: getattr(self, one.name) for one in options(type(self))}

    def one_training(self) -> FineTuning:
        """The same without the options that say what is made of finished trainings."""
        return replace(self, **{one.name: one.default for one in options(type(self)) if one.afterwards})
