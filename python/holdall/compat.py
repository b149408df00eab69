"""Stand-ins for the packages that holdall replaces, for programs that cannot be edited.

>>> import holdall.compat
>>> holdall.compat.install()
>>> import obstore
>>> obstore.__name__
'holdall'

From the shell, ``python -m holdall.compat script.py`` (or ``-m module``) runs a program that way, and
``pytest -p holdall.compat`` runs a suite.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import runpy
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

__all__ = ["install", "uninstall"]

_REPLACED = {"aistore": "holdall.aistore", "obstore": "holdall", "stac_asset": "holdall.stac"}
"""What stands in for a package."""

_PARTS = {"aistore.sdk": "holdall.aistore"}
"""What stands in for parts of packages that have another place here."""


def _ours(name: str) -> str:
    """The name of our module for that of another package."""
    for theirs, ours in (*_PARTS.items(), *_REPLACED.items()):
        if name == theirs or name.startswith(f"{theirs}."):
            return ours + name[len(theirs) :]
    return name


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds our modules under the names of the packages they replace."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package = fullname.partition(".")[0]
        if package not in self.names:
            return None
        try:
            if importlib.util.find_spec(_ours(fullname)) is None:
                return None
        except ModuleNotFoundError:
            # What would hold it is no package of ours.
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = importlib.import_module(_ours(spec.name))
        # The import system writes the spec of the other name into the module, whose own must stay.
        self._own = (module.__spec__, module.__loader__, module.__package__)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__, module.__loader__, module.__package__ = self._own


_finder = _Finder()


def _name_classes(package: str, *, replaced: bool) -> None:
    """Give the store classes the module that programs look for: some tell stores by it (zarr does)."""
    if package == "obstore":
        from . import store

        for name in (
            "AISStore",
            "AzureStore",
            "GCSStore",
            "HTTPStore",
            "LocalStore",
            "MemoryStore",
            "S3Store",
        ):
            getattr(store, name).__module__ = "obstore.store" if replaced else "holdall.store"


def install(*names: str) -> None:
    """Make ``import NAME`` resolve to holdall, whether or not the package itself is installed.

    Modules that were imported before keep what they have.

    Args:
        names: packages to replace; all that can be when none is given.

    Raises:
        ValueError: holdall replaces no package of that name.
    """
    for name in names or _REPLACED:
        if name not in _REPLACED:
            known = ", ".join(sorted(_REPLACED))
            raise ValueError(f"holdall does not replace {name!r}; it replaces {known}")
        if name not in _finder.names:
            _forget(name)
            _finder.names.add(name)
            _name_classes(name, replaced=True)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def uninstall(*names: str) -> None:
    """Undo `install`."""
    for name in names or tuple(_finder.names):
        if name in _finder.names:
            _finder.names.discard(name)
            _forget(name)
            _name_classes(name, replaced=False)
    if not _finder.names and _finder in sys.meta_path:
        sys.meta_path.remove(_finder)


def _forget(name: str) -> None:
    for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
        del sys.modules[module]


def pytest_configure(config: Any) -> None:
    """Install everything; called by pytest when this module is given as a plugin."""
    del config
    install()


def _main(arguments: list[str]) -> None:
    install()
    match arguments:
        case ["-m", module, *rest]:
            sys.argv = [module, *rest]
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case [script, *rest]:
            sys.argv = [script, *rest]
            runpy.run_path(script, run_name="__main__")
        case _:
            sys.exit("usage: python -m holdall.compat (SCRIPT | -m MODULE) [ARGUMENT ...]")


if __name__ == "__main__":
    # Run as a program, this file is another module than the one that `import` finds.
    importlib.import_module("holdall.compat")._main(sys.argv[1:])
