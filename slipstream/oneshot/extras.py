"""Packages only the one-shot application uses, imported when first needed."""

from __future__ import annotations

import importlib
from typing import Any

from slipstream.errors import UnavailableError, message

PACKAGES = {"PIL": "pillow", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}


def require_extra(module: str) -> Any:
    """Imports a module of an optional package; says how to install it when it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        package = PACKAGES.get(module.split(".", 1)[0], module)
        happened = f"this needs the package {package}, which is not installed ({problem})"
        hint = "pip install 'slipstream[oneshot]'"
        raise UnavailableError(message("oneshot", happened, hint=hint)) from problem
