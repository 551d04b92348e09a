"""The loop that measures the peak does what it is to measure."""

import re

import llvmlite.binding as llvm

from slipstream.compiler.peak import SUMS, loop, peak
from slipstream.compiler.target import target


def test_the_loop_is_twelve_multiply_adds_and_no_more(monkeypatch):
    if target().triple.startswith("x86_64"):
        monkeypatch.setenv("SLIPSTREAM_TARGET", "x86-64-v3")
    module = llvm.parse_assembly(str(loop(target().lanes(32))))
    text = target().machine().emit_assembly(module)
    assert len(re.findall(r"vfmadd\w+ps|fmla", text)) == SUMS
    assert not re.findall(r"mulps|fmul", text)


def test_two_threads_do_no_less_than_one():
    assert 0 < peak(1, repeats=3) < 1.5 * peak(2, repeats=3)
