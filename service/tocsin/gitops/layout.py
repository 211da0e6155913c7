"""How to read a repository: what is applied, and what a path tells. Pure, and light: the settings are made of it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Layout:
    """Directories that are applied to the cluster (found where there are none), and path templates."""

    roots: tuple[str, ...] = ()
    path_templates: tuple[str, ...] = ()


def within(path: str, outer: str) -> bool:
    """Whether a path is a directory itself or lies in it; the top of the repository, empty, holds everything."""
    return not outer or path == outer or path.startswith(f"{outer}/")


def directory(path: str) -> str:
    """A path as Flux writes it ("./kubernetes/apps/") as a directory of the repository; empty for the top."""
    return "/".join(part for part in path.split("/") if part not in ("", "."))
