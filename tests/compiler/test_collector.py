"""The collector is as it was after a program is compiled, also after one that is not."""

import gc

import pytest

from slipstream.compiler import collector


@pytest.mark.parametrize("before", [True, False])
def test_the_collector_is_left_as_it_was(before):
    (gc.enable if before else gc.disable)()
    try:
        with pytest.raises(ValueError, match="broken"), collector.paused():
            assert not gc.isenabled()
            raise ValueError("broken")
        assert gc.isenabled() is before
    finally:
        gc.enable()
