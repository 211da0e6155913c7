"""A YAML file of the operator's, and where in it each mistake is."""

import types
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from tocsin.errors import ConfigurationError

Loc = tuple[int | str, ...]
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A parsed file: its values, and the nodes that know their lines."""

    path: Path
    values: dict[str, Any]
    root: yaml.Node | None

    def line(self, loc: Loc) -> int | None:
        """The line, from 1, of the deepest part of `loc` that the file has; None when it has not even the first."""
        node, line = self.root, None
        for part in loc:
            found = _child(node, part)
            if found is None:
                continue  # the tag of a union is part of a location, but not of the file
            node, line = found
        return line


def read(path: Path) -> YamlFile:
    """Reads and parses a file that holds one mapping; an empty file is an empty mapping.

    Raises ConfigurationError with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as failure:
        raise ConfigurationError(f"{path}: cannot be read: {failure.strerror}") from failure
    except UnicodeDecodeError as failure:
        raise ConfigurationError(f"{path}: cannot be read: not UTF-8") from failure
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        _refuse_twins(path, root)
        values = loader.construct_document(root) if root is not None else None
    except yaml.MarkedYAMLError as failure:
        line = failure.problem_mark.line + 1 if failure.problem_mark else 1
        # A tag is not repeated: it may be a password that begins with an exclamation mark.
        tag = isinstance(failure, yaml.constructor.ConstructorError)
        problem = "a value that begins with ! belongs in quotes" if tag else failure.problem
        raise ConfigurationError(f"{path}:{line}: not YAML: {problem}") from failure
    except yaml.YAMLError as failure:
        raise ConfigurationError(f"{path}: not YAML: {failure}") from failure
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{path}:1: expected a mapping of keys, found {type(values).__name__}")
    for key in values:
        if not isinstance(key, str):
            at = YamlFile(path, values, root).line((str(key),))
            raise ConfigurationError(f"{path}:{at or 1}: {key}: is no name of a key")
    return YamlFile(path, values, root)


def _refuse_twins(path: Path, root: yaml.Node | None) -> None:
    """YAML takes the last of two equal keys and forgets the other."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an anchor may stand inside of what it names
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            lines: dict[str, int] = {}
            for key, value in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue
                line = key.start_mark.line + 1
                if key.value in lines:
                    raise ConfigurationError(f"{path}:{line}: {key.value}: stands in line {lines[key.value]} already")
                lines[key.value] = line
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def mistakes(failure: ValidationError, model: type[BaseModel], file: YamlFile | None) -> list[str]:
    """One line a mistake: file and line, the key, what is wrong, and for an unknown key the nearest known one."""
    return [_mistake(dict(error), model, file) for error in failure.errors(include_url=False, include_input=False)]


def place(file: YamlFile | None, loc: Loc) -> str:
    """File and line of a key, to begin a sentence with; empty without a file."""
    line = file.line(loc) if file else None
    return f"{file.path}:{line}: " if file and line else f"{file.path}: " if file else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that is nearest, empty when none is near."""
    import difflib  # noqa: PLC0415 - only mistakes need it

    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return f'; did you mean "{close[0]}"?' if close else f" (known: {', '.join(choices)})" if choices else ""


def _mistake(error: dict[str, Any], model: type[BaseModel], file: YamlFile | None) -> str:
    loc: Loc = error["loc"]
    where = place(file, loc)
    what = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] in ("model_type", "model_attributes_type"):
        what = "expected keys below it"
    if error["type"] == "extra_forbidden":
        what = "unknown key" + nearest(str(loc[-1]), _keys(model, loc[:-1]))
    return f"{where}{'.'.join(map(str, loc)) or 'configuration'}: {what}"


def _child(node: yaml.Node | None, part: int | str) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None


def _keys(annotation: Any, loc: Sequence[int | str]) -> set[str]:
    """The keys a mapping at `loc` below a type may have."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model_keys(annotation, loc)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _keys(arguments[0], loc)
    if origin in (Union, types.UnionType):
        return set().union(*(_keys(argument, loc) for argument in arguments))
    if origin in (dict, list, tuple) and loc:
        return _keys(arguments[-1] if origin is dict else arguments[0], loc[1:])
    return set()


def _model_keys(model: type[BaseModel], loc: Sequence[int | str]) -> set[str]:
    if not loc:
        return set(model.model_fields)
    field = model.model_fields.get(str(loc[0]))
    if field is not None:
        return _keys(field.annotation, loc[1:])
    tag = model.model_fields.get("type")  # of a union: part of the location, but no key of its own
    return _model_keys(model, loc[1:]) if tag and get_args(tag.annotation) == (loc[0],) else set()
