"""Specifications of dSort jobs."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Optional

from .._model import Model
from ..multiobj import ObjectNames, ObjectRange
from ..types import BucketModel
from .ekm import ExternalKeyMap

_EXTENSIONS = (".json", ".yaml", ".yml")


def read_spec(path: str | PathLike[str], unsupported: str) -> Any:
    """What a JSON or YAML file says.

    Raises:
        ValueError: With the text given, for a file of another kind.
    """
    kind = Path(path).suffix.lower()
    if kind not in _EXTENSIONS:
        raise ValueError(unsupported)
    text = Path(path).read_text(encoding="utf-8")
    if kind == ".json":
        return json.loads(text)
    try:
        import yaml
    except ImportError as error:
        raise ImportError(
            f"{path}: reading YAML needs PyYAML: pip install 'holdall[aistore]', or give JSON"
        ) from error
    return yaml.safe_load(text)


class DsortShardsGroup:
    """The shards that are read, or those that are written.

    Args:
        bck: Their bucket.
        role: ``input`` or ``output``.
        format: Their names: `ObjectNames` or `ObjectRange` for input, `ObjectRange` or `ExternalKeyMap` for output.
        extension: Their format, such as ``.tar``.
    """

    def __init__(
        self,
        bck: BucketModel,
        role: Literal["input", "output"],
        format: ObjectNames | ObjectRange | ExternalKeyMap,
        extension: str,
    ) -> None:
        if role not in ("input", "output"):
            raise ValueError('role must be either "input" or "output"')
        if role == "input" and not isinstance(format, ObjectNames | ObjectRange):
            raise ValueError(
                'format of input role must be an instance of "ObjectNames" or "ObjectRange"'
            )
        if role == "output" and not isinstance(format, ObjectRange | ExternalKeyMap):
            raise ValueError(
                'format of output role must be an instance of "ObjectRange" or "ExternalKeyMap"'
            )
        self.bck = bck
        self.role = role
        self.format = format
        self.extension = extension

    def as_dict(self) -> dict[str, Any]:
        """Its part of a specification."""
        names: Any = str(self.format)
        if self.role == "input" and not isinstance(self.format, ExternalKeyMap):
            names = self.format.get_value()
        return {
            f"{self.role}_bck": self.bck.as_dict(),
            f"{self.role}_format": names,
            f"{self.role}_extension": self.extension,
        }


class DsortAlgorithm(Model):
    """The order of records. By ``content``, it needs the ``extension`` of the key's file and the key's type."""

    kind: Literal["alphanumeric", "shuffle", "content"] = "alphanumeric"
    decreasing: bool = False
    seed: Optional[str] = ""  # noqa: UP045
    extension: Optional[str] = None  # noqa: UP045
    content_key_type: Optional[Literal["int", "float", "string"]] = None  # noqa: UP045

    def model_post_init(self, context: Any, /) -> None:
        """Refuses what does not belong together."""
        if self.kind != "content":
            if self.extension or self.content_key_type:
                raise ValueError(
                    'The "extension" and "content_key_type" fields are only allowed for kind="content".'
                )
            return
        for name in ("extension", "content_key_type"):
            if not getattr(self, name):
                raise ValueError(f'For kind="content", the "{name}" field is required.')

    def as_dict(self) -> dict[str, Any]:
        """Its part of a specification."""
        out: dict[str, Any] = {
            "kind": self.kind,
            "decreasing": self.decreasing,
            "seed": self.seed,
        }
        if self.kind == "content":
            out["extension"] = self.extension
            out["content_key_type"] = self.content_key_type
        return out


class DsortFramework:
    """A job: from which shards to which, in which order.

    Args:
        input_shards: What is read.
        output_shards: What is written.
        algorithm: The order; alphanumeric unless given.
        description: What it is for.
        output_shard_size: How large new shards become, such as ``"1MB"``.
    """

    def __init__(
        self,
        input_shards: DsortShardsGroup,
        output_shards: DsortShardsGroup,
        algorithm: DsortAlgorithm | None = None,
        description: str | None = None,
        output_shard_size: str | None = None,
    ) -> None:
        self.input_shards = input_shards
        self.output_shards = output_shards
        self.algorithm = algorithm if algorithm is not None else DsortAlgorithm()
        self.description = description
        self.output_shard_size = output_shard_size
        self.ekm_file: str | None = None
        self.ekm_sep: str | None = None

    @classmethod
    def from_file(cls, spec: str | PathLike[str]) -> DsortFramework:
        """A job from a JSON or YAML file. Only what this class knows is taken; `Dsort.start` sends a file as it is.

        Raises:
            ValueError: For another kind of file, and where the names of shards are not as they must be.
        """
        data = read_spec(
            spec, "Unsupported file format. Please provide a .json, .yml, or .yaml file."
        )
        source = data.get("input_format")
        if not isinstance(source, dict):
            raise ValueError("input_format must be a dictionary")
        names: ObjectNames | ObjectRange
        if "template" in source:
            names = ObjectRange.from_string(source["template"])
        elif "objnames" in source:
            names = ObjectNames(source["objnames"])
        else:
            raise ValueError(
                '"input_format" dictionary must contain either the key "template" or "objnames"'
            )
        target = data.get("output_format")
        if not isinstance(target, str):
            raise ValueError('"output_format" must be a range string')
        job = cls(
            input_shards=DsortShardsGroup(
                BucketModel(**data["input_bck"]), "input", names, data.get("input_extension", "")
            ),
            output_shards=DsortShardsGroup(
                BucketModel(**data["output_bck"]),
                "output",
                ObjectRange.from_string(target),
                data.get("output_extension", ""),
            ),
            algorithm=DsortAlgorithm(**data.get("algorithm", {})),
            description=data.get("description"),
            output_shard_size=data.get("output_shard_size", ""),
        )
        job.ekm_file = data.get("ekm_file", "")
        job.ekm_sep = data.get("ekm_file_sep", "")
        return job

    def to_spec(self) -> dict[str, Any]:
        """The job as the cluster wants it."""
        spec = {**self.input_shards.as_dict(), **self.output_shards.as_dict()}
        spec["algorithm"] = self.algorithm.as_dict()
        spec["description"] = self.description or ""
        if self.output_shard_size:
            spec["output_shard_size"] = self.output_shard_size
        if self.ekm_file:
            spec["ekm_file"] = self.ekm_file
            spec["ekm_file_sep"] = self.ekm_sep
        return spec
