"""Work behind: a function that a thread of its own computes while others go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any


class Behind:
    """What a function returns, computed from now on. Python waits for it before it ends.

    >>> Behind(lambda: 6 * 7).result()
    42
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._outcome: tuple[Any, BaseException | None] | None = None
        self._thread = threading.Thread(target=self._work, name="slipstream-behind")
        self._thread.start()

    def _work(self) -> None:
        try:
            self._outcome = self._function(), None
        except BaseException as error:  # of whatever kind: it is raised where the result is wanted
            self._outcome = None, error

    def result(self) -> Any:
        """The result, as soon as it is there. What the function raises is raised here."""
        self._thread.join()
        if self._outcome is None:  # a forked process, which has none of its parent's threads
            self._work()
        value, error = self._outcome or (None, None)
        if error is not None:
            raise error
        return value
