"""Errors a user can cause. The core raises them; only the UI and the CLI turn them into toasts and exit codes.

Every message is one sentence that names the offending value and says what is accepted.
"""


class TaskVecError(Exception):
    """Base of every error whose message may be shown to a user as it is."""


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
