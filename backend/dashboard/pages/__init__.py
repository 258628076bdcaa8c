"""The pages of the desk, one file each."""

from importlib import import_module
from pkgutil import iter_modules


def declare_pages() -> None:
    """Import every page, so that it declares itself."""
    for each in iter_modules(__path__):
        import_module(f"{__name__}.{each.name}")
