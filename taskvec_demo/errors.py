"""Errors a user can cause. The core raises them; only the UI and the CLI turn them into toasts and exit codes.

Every message is one sentence: it names the value that is wrong (`shortened`) and says what is accepted.
"""

from __future__ import annotations

import sys

SHOWN = 80  # characters of a user's text that a message repeats
LONGEST = 1000  # characters of the longest message


class TaskVecError(Exception):
    """Base of every error whose message may be shown to a user as it is.

    A message is never longer than a short paragraph.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message, LONGEST))


class IncompatibleWeightsError(TaskVecError):
    """Weights or task vectors that do not belong to the same checkpoint or layout."""


class BadAudioError(TaskVecError):
    """A recording that cannot be decoded or holds nothing to classify."""


class BadArtifactError(TaskVecError):
    """A file under `precomputed/` that is missing, altered or of another format."""


class BadRecipeError(TaskVecError):
    """A recipe that is not valid, or names something that does not exist."""


class BadLabelsError(TaskVecError):
    """A label list that cannot be used for classification."""


def shortened(text: object, length: int = SHOWN) -> str:
    """A user's text (a label, a name, a path) as a message repeats it. A long text is cut to its beginning and its end.

    A byte of a file's name that is not UTF-8, which Python writes as half a surrogate pair, becomes "?".
    """
    shown = str(text)
    if len(shown) > length:
        end = length // 4
        shown = f"{shown[: length - end - 1]}…{shown[-end:]}"
    return shown.encode(errors="replace").decode()


def sentence(error: TaskVecError | OSError) -> str:
    """One line about an error for the user of a command.

    For an error of the system, it names the file and the problem.
    """
    if isinstance(error, OSError) and error.filename is not None:
        return f"{shortened(error.filename)}: {error.strerror}."
    return shortened(" ".join(str(error).split()), LONGEST)


def replace_unprintable() -> None:
    """Print "?" in place of what the encoding of standard output does not have, such as θ in cp1252."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # a notebook's stream has none; stderr does so by itself
    if reconfigure is not None:
        reconfigure(errors="replace")
