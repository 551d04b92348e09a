"""What programs of TensorFlow 1 set up first: which behaviour, session options, logging."""

from __future__ import annotations

import logging as _python_logging
from types import SimpleNamespace
from typing import Any


def executing_eagerly() -> bool:
    """False: this face builds graphs."""
    return False


def disable_eager_execution() -> None:
    """Nothing to do: this face builds graphs."""


def disable_v2_behavior() -> None:
    """Nothing to do: this face is TensorFlow 1's."""


def disable_v2_tensorshape() -> None:
    """Nothing to do: sizes are plain integers, or None."""


def disable_resource_variables() -> None:
    """Nothing to do: there is one kind of variable."""


def enable_resource_variables() -> None:
    """Nothing to do: there is one kind of variable."""


def enable_eager_execution(*_: Any, **__: Any) -> None:
    """ValueError: eager programs are those of the other face."""
    raise ValueError(
        "this face builds graphs; for eager execution use `import slipstream as tf`, the face of "
        "TensorFlow 2"
    )


class Options(SimpleNamespace):
    """Options that TensorFlow takes and that have no effect here: one processor runs everything."""

    def __getattr__(self, name: str) -> Options:
        if name.startswith("_"):
            raise AttributeError(name)
        made = Options()
        setattr(self, name, made)
        return made


ConfigProto = GPUOptions = RunOptions = RunMetadata = OptimizerOptions = Options


class Logging:
    """`tf.logging`: levels and messages of the logger 'tensorflow'."""

    DEBUG, INFO, WARN, ERROR, FATAL = (
        _python_logging.DEBUG,
        _python_logging.INFO,
        _python_logging.WARNING,
        _python_logging.ERROR,
        _python_logging.CRITICAL,
    )

    def __init__(self) -> None:
        self._logger = _python_logging.getLogger("tensorflow")
        self.debug, self.info = self._logger.debug, self._logger.info
        self.warning = self.warn = self._logger.warning
        self.error, self.fatal = self._logger.error, self._logger.critical

    def set_verbosity(self, level: Any) -> None:
        """Show messages of this level and above."""
        self._logger.setLevel(level)

    def get_verbosity(self) -> int:
        return self._logger.getEffectiveLevel()


logging = Logging()
