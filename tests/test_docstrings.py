"""The examples in docstrings run, and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import slipstream

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(slipstream.__path__, "slipstream.")
    if not module.name.endswith("__main__")
)


@pytest.fixture(autouse=True)
def fresh_graph():
    """TensorFlow 1 examples begin with an empty default graph."""
    from slipstream import v1

    v1.reset_default_graph()


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert not found.failed, f"{found.failed} of {found.attempted} examples of {name}"


def test_there_are_many():
    finder = doctest.DocTestFinder()
    examples = sum(
        len(test.examples)
        for name in MODULES
        for test in finder.find(importlib.import_module(name))
    )
    assert examples > 300
