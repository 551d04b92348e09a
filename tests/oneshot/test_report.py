"""The report: one sound, self-contained, accessible page, whatever parts it is given."""

import base64
import errno
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from slipstream.errors import ResourceExhaustedError
from slipstream.oneshot.accuracy import interval_of
from slipstream.oneshot.page import png
from slipstream.oneshot.report import (
    Comparison,
    Confusion,
    EmbeddingMap,
    Example,
    PairDistances,
    ReportData,
    Sweep,
    render,
    write_report,
)

RANDOM = np.random.default_rng(0)
VOID = {"meta", "img", "br", "link"}
PARTS = ["results", "training", "pairs", "map", "confusion", "examples", "sweep", "setup"]


class Checker(HTMLParser):
    """Follows the tags: each closed in order; notes ids, references and what lacks a text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.references, self.silent = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        self.note(tag, known)

    def handle_startendtag(self, tag, attributes):
        self.note(tag, dict(attributes))

    def note(self, tag, known):
        self.ids += [known["id"]] if "id" in known else []
        self.references += [
            known[name] for name in ("src", "href", "xlink:href") if known.get(name)
        ]
        if (tag == "img" and not known.get("alt")) or (tag == "svg" and not known["aria-label"]):
            self.silent.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def examples(count):
    return [
        Example(RANDOM.random((28, 28)), "hat", RANDOM.random((28, 28)), name, 1.25)
        for name in ("hat", "<boot>")[:count]
    ]


def full(classes=6, runs=4):
    labels = np.arange(40 * classes) % classes
    names = [f"class {number}" for number in range(classes)]
    values = RANDOM.uniform(0.5, 0.9, 30)
    return ReportData(
        title="A & B <test>",
        summary='One "sentence".',
        numbers={"accuracy": "0.71"},
        facts={"seed": "7", "command": "slipstream oneshot train --out <dir>"},
        comparisons=[
            Comparison(
                "New clothes",
                [("network", interval_of(values)), ("pixels", interval_of(values - 0.2))],
                0.2,
            )
        ],
        history={
            "loss": [1.0, 0.5],
            "val_loss": [1.1, np.nan],
            "accuracy": [0.4, 0.8],
            "learning_rate": [1e-3, 1e-4],
        },
        pairs=PairDistances(RANDOM.gamma(4, 0.2, 300), RANDOM.gamma(9, 0.2, 200), 1.2),
        nearest_pairs=PairDistances(np.arange(10.0), np.arange(5.0, 15.0), 7.5),
        map=EmbeddingMap(
            RANDOM.normal(size=(len(labels), 2)), labels, names, np.arange(classes) > 2, "t-SNE"
        ),
        confusion=Confusion(RANDOM.integers(0, 50, (classes, classes)), names),
        nearest=examples(1),
        worst=examples(2),
        sweep=Sweep(
            {
                "margin": [0.5, 1, 2, 1][:runs],
                "loss": ["a", "b", "a", "b"][:runs],
                "seed": [0] * runs,
            },
            [0.6, 0.7, 0.65, 0.61][:runs],
        ),
    )


@pytest.fixture(scope="module")
def page():
    return render(full())


def test_every_part_is_there_and_sound(page):
    checked = Checker(page)
    assert [name for name in checked.ids if name in PARTS] == PARTS
    assert checked.silent == []
    assert len(checked.ids) == len(set(checked.ids))
    assert page.count("<svg") == 6 + 2  # the drawings, and a bar for each method


def test_what_is_unknown_is_told_of_both_kinds_of_picture(page):
    assert "farther than 7.5" in page
    assert "20.0% are that far from the example of their own class, and 70.0%" in page


def test_nothing_is_loaded_from_outside(page):
    for reference in Checker(page).references:
        assert reference.startswith(("#", "data:image/png;base64,")), reference
    assert "<script" not in page
    assert not re.search(r"url\((?!#)", page)


def test_references_inside_drawings_are_met(page):
    checked = Checker(page)
    inner = [one[1:] for one in checked.references if one.startswith("#")]
    inner += re.findall(r"url\(#([^)]+)\)", page)
    assert set(inner) <= set(checked.ids)


def test_texts_are_escaped(page):
    assert "A &amp; B &lt;test&gt;" in page
    assert "hat taken for &lt;boot&gt;" in page
    assert "<boot>" not in page
    assert "<dir>" not in page


def test_drawings_take_their_colours_from_the_page(page):
    drawn = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    for drawing in drawn:
        assert not re.search(r"#(010203|020304|030405|040506|a1b2c\d)", drawing)
        assert not re.search(r"(fill|stroke): #", drawing)
    wanted = set(re.findall(r"var\((--[\w-]+)\)", page))
    assert wanted <= set(re.findall(r"(--[\w-]+):", page))
    assert "DejaVu" not in page


def test_drawings_say_in_words_what_they_show(page):
    labels = " ".join(re.findall(r'aria-label="([^"]*)"', page))
    assert "learning" not in labels
    for words in ("at the end loss 0.500", "ROC curve with area 0.9", "Map of the embeddings of 3"):
        assert words in labels


def test_numbers_in_the_text_are_right(page):
    data = full()
    right = (data.pairs.equal <= 1.2).sum() + (data.pairs.unequal > 1.2).sum()
    text = render(data)
    assert f"On 500 held-out pairs that is right {right / 500:.1%}" in " ".join(text.split())


def test_the_same_data_give_the_same_page():
    one = ReportData("t", "s", history={"loss": [1.0, 0.5]})
    assert render(one) == render(one)


def test_a_page_without_data():
    text = render(ReportData("Nothing", "yet"))
    assert not set(Checker(text).ids) & set(PARTS)


@pytest.mark.parametrize("part", ["history", "pairs", "map", "confusion", "nearest", "sweep"])
def test_a_page_with_one_part(part):
    data = ReportData("One", "part", **{part: getattr(full(), part)})
    assert len(set(Checker(render(data)).ids) & set(PARTS)) == 1


def test_many_classes_and_a_single_run():
    text = render(full(classes=136, runs=1))
    Checker(text)
    assert "Of 136 classes, the 20 hardest." in text


def test_an_empty_history_has_no_part():
    assert 'id="training"' not in render(ReportData("t", "s", history={"loss": []}))


def test_png_is_read_back():
    picture = RANDOM.integers(0, 256, (28, 17)).astype(np.uint8)
    with Image.open(io.BytesIO(png(picture))) as image:
        np.testing.assert_array_equal(np.asarray(image), picture)


def test_pictures_in_the_page_are_the_ones_given():
    one = examples(1)[0]
    text = render(ReportData("t", "s", nearest=[one]))
    content = re.findall(r'base64,([^"]+)" alt="picture of hat"', text)[0]
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        np.testing.assert_allclose(np.asarray(image) / 255, one.picture, atol=0.002)


def test_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    assert write_report(ReportData("old", "s"), path) == path

    def refuse(self, *arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", refuse)
        with pytest.raises(ResourceExhaustedError, match=r"\[write report\] could not write"):
            write_report(ReportData("new", "s"), path)
    assert "<h1>old</h1>" in path.read_text(encoding="utf-8")
