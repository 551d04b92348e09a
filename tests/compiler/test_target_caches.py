"""The sizes of caches that code is made for, as a system tells them."""

import pytest

from slipstream.compiler import target as module
from slipstream.compiler.target import FIRST_CACHE, SECOND_CACHE, levels, named


def told(folder, *levels_of_cache):
    """The files in which Linux describes a core's caches."""
    for number, content in enumerate(levels_of_cache):
        place = folder / f"index{number}"
        place.mkdir()
        for name, text in zip(("level", "type", "size"), content, strict=True):
            (place / name).write_text(text + "\n")


ZEN_3 = [("1", "Data", "32K"), ("1", "Instruction", "64K"), ("2", "Unified", "512K"),
         ("3", "Unified", "32768K")]  # fmt: skip


@pytest.mark.parametrize(
    ("caches", "sizes"),
    [
        (ZEN_3, (32 << 10, 512 << 10)),
        ([("1", "Data", "16K"), ("2", "Unified", "256K")], (16 << 10, 256 << 10)),
        ([("1", "Data", "48K"), ("2", "Unified", "2048K")], (FIRST_CACHE, SECOND_CACHE)),
        ([("1", "Data", "some"), ("2", "Unified", "")], (FIRST_CACHE, SECOND_CACHE)),
        ([], (FIRST_CACHE, SECOND_CACHE)),
    ],
)
def test_no_more_is_used_than_was_measured(caches, sizes, tmp_path, monkeypatch):
    told(tmp_path, *caches)
    monkeypatch.setattr(module, "CACHES", tmp_path)
    assert module._cache_sizes() == sizes


def test_where_nothing_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CACHES", tmp_path / "none")
    assert module._cache_sizes() == (FIRST_CACHE, SECOND_CACHE)


def test_machines_of_one_name_and_other_caches_differ(tmp_path, monkeypatch):
    found = []
    for number, second in enumerate(("512K", "1024K")):
        folder = tmp_path / str(number)
        folder.mkdir()
        told(folder, ("1", "Data", "32K"), ("2", "Unified", second))
        monkeypatch.setattr(module, "CACHES", folder)
        found.append(module._native())
    assert [target.second_cache for target in found] == [512 << 10, 1 << 20]


def test_levels_have_the_caches_of_this_machine():
    native = named("native")
    for name in levels():
        target = named(name)
        assert target.first_cache == native.first_cache
        assert target.second_cache == native.second_cache
