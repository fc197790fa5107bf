"""Tasks: a set of labels with its prompts, and its role. A target is to be changed; the control must hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from ..errors import BadArtifactError, shortened

Role = Literal["control", "target"]


@dataclass(frozen=True)
class Task:
    """A classification task. `prompts[i]` is what the text tower is told for `class_names[i]`, inside each template.

    `clips_folders` name the sets that labelled clips come from, as far as the machine has them. The class name of such
    a clip is made of the table's columns `clip_label`, joined by "_".
    """

    name: str
    title: str
    role: Role
    class_names: tuple[str, ...]
    prompts: tuple[str, ...]
    templates: tuple[str, ...]
    source: str
    licence: str
    clips_folders: tuple[str, ...] = ()
    clip_label: tuple[str, ...] = ("label",)

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):  # the page writes it into its HTML as it is
            roles = " or ".join(get_args(Role))
            raise BadArtifactError(f"Task {self.name!r} has the role {shortened(self.role)!r}; {roles} is accepted.")
        if len(self.prompts) != len(self.class_names) or not self.class_names:
            raise BadArtifactError(
                f"Task {self.name!r} has {len(self.class_names)} classes and {len(self.prompts)} prompts; "
                "every class needs one prompt."
            )
        if any("{}" not in t for t in self.templates) or not self.templates:
            raise BadArtifactError(
                f"Task {self.name!r}: every prompt template must contain {{}}, got {self.templates}."
            )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Task:
        """Raises `BadArtifactError` for unknown or missing fields. Older entries name one set, as `clips_folder`."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}
        if "clips_folder" in values:
            values["clips_folders"] = tuple(filter(None, [values.pop("clips_folder")]))
        try:
            return cls(**values)
        except TypeError as error:
            raise BadArtifactError(f"A task entry does not have the fields of this version: {error}.") from error
