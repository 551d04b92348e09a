"""The pieces of a self-contained HTML page: style, tables, pictures."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from html import escape

import numpy as np

from slipstream.oneshot.pictures import to_bytes

STYLE = """
:root { color-scheme: light dark;
  --paper: #fdfdfb; --card: #f4f4f0; --ink: #1d2125; --muted: #646b73; --rule: #d9dad5;
  --accent: 0 114 178;
  --series-0: #0072b2; --series-1: #d98200; --series-2: #009e73; --series-3: #d55e00;
  --series-4: #b3559a; --series-5: #3aa0dc; --series-6: #6b5b2e; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #16181b; --card: #1f2226; --ink: #e6e6e1; --muted: #9aa1a9; --rule: #3a3f45;
  --accent: 86 180 233;
  --series-0: #56b4e9; --series-1: #f0a830; --series-2: #2cc79a; --series-3: #f0803c;
  --series-4: #dc8fbf; --series-5: #8ac6f2; --series-6: #c9b46a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 58rem; margin: 0 auto; padding: 3rem 1.25rem 5rem; }
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -.015em; margin: 0 0 .5rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 3.25rem 0 .25rem; padding-top: 1rem;
  border-top: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.75rem 0 .25rem; }
p { max-width: 44rem; margin: .35rem 0 1rem; }
.lead { font-size: 1.15rem; color: var(--muted); }
nav { margin: 1.25rem 0 0; font-size: .92rem; display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; }
a { color: rgb(var(--accent)); text-underline-offset: .15em; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr));
  gap: .75rem; margin: 1.75rem 0 0; padding: 0; }
.numbers div { background: var(--card); border-radius: .5rem; padding: .85rem 1rem; }
.numbers dt { color: var(--muted); font-size: .88rem; line-height: 1.35; }
.numbers dd { margin: .15rem 0 0; font-size: 1.5rem; font-weight: 600; letter-spacing: -.01em;
  font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
caption { text-align: left; color: var(--muted); font-size: .92rem; padding-bottom: .35rem; }
th, td { padding: .38rem .8rem .38rem 0; text-align: left; border-bottom: 1px solid var(--rule);
  vertical-align: middle; }
tbody th { font-weight: 500; }
thead th { font-size: .85rem; color: var(--muted); font-weight: 500; }
td.number, th.number { text-align: right; white-space: nowrap; }
tr.best td, tr.best th { font-weight: 650; }
.wide { width: 100%; } .interval { width: 45%; min-width: 12rem; padding-right: 0; }
.interval svg { display: block; width: 100%; height: 1.5rem; overflow: visible; }
figure { margin: .75rem 0 1.25rem; } figcaption { color: var(--muted); font-size: .92rem; }
figure > svg { display: block; width: 100%; height: auto; max-width: 46rem; }
.beside { display: grid; grid-template-columns: minmax(0, 1.7fr) minmax(0, 1fr); gap: 1.5rem;
  align-items: end; }
.confusion td { text-align: center; padding: .3rem; min-width: 3.25rem; font-size: .85rem;
  border: 2px solid var(--paper); }
.confusion th { border: 0; font-weight: 500; font-size: .85rem; padding: .25rem .5rem; }
.confusion thead th { vertical-align: bottom; text-align: center; color: inherit; }
.confusion tbody th { text-align: right; white-space: nowrap; }
.confusion .strong { color: var(--paper); }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr));
  gap: .75rem; padding: 0; margin: .75rem 0; list-style: none; }
.examples li { background: var(--card); border-radius: .5rem; padding: .7rem; font-size: .88rem;
  line-height: 1.35; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .4rem; margin-bottom: .45rem; }
.pair img { width: 100%; aspect-ratio: 1; image-rendering: pixelated; border-radius: .25rem;
  background: #000; }
.examples small { color: var(--muted); font-size: .82rem; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.25rem;
  margin: .5rem 0; }
dl.facts dt { color: var(--muted); } dl.facts dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 4rem; color: var(--muted); font-size: .88rem; }
@media (max-width: 42rem) { .beside { grid-template-columns: 1fr; }
  main { padding-top: 1.5rem; } }
@media print { body { background: none; } h2 { break-after: avoid; }
  figure, li { break-inside: avoid; } }
"""


def page(title: str, body: str) -> str:
    """A whole HTML document with nothing outside it."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="slipstream">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(identifier: str, title: str, text: str, *parts: str) -> str:
    """A headed part of the page."""
    body = "\n".join(parts)
    return (
        f'<section id="{identifier}">\n<h2>{escape(title)}</h2>\n<p>{escape(text)}</p>\n'
        f"{body}\n</section>"
    )


def figure(drawing: str, caption: str) -> str:
    """A drawing with the line under it."""
    return f"<figure>\n{drawing}\n<figcaption>{escape(caption)}</figcaption>\n</figure>"


def definitions(style: str, entries: Sequence[tuple[str, str]]) -> str:
    """Names with their values."""
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        if style == "numbers"
        else f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in entries
    )
    return f'<dl class="{style}">{items}</dl>'


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]], best: int = -1) -> str:
    """A table of texts, the first column its row heads, the rest numbers; one row may stand out."""
    top = "".join(
        f'<th scope="col"{class_of(place)}>{escape(head)}</th>' for place, head in enumerate(heads)
    )
    body = "".join(
        f"<tr{' class=best' if number == best else ''}>{cells(row)}</tr>"
        for number, row in enumerate(rows)
    )
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def class_of(place: int) -> str:
    """Columns after the first hold numbers."""
    return ' class="number"' if place else ""


def cells(row: Sequence[str]) -> str:
    """The cells of one row."""
    first = f'<th scope="row">{escape(row[0])}</th>'
    return first + "".join(f'<td class="number">{escape(cell)}</td>' for cell in row[1:])


def interval_bar(mean: float, low: float, high: float, chance: float, label: str) -> str:
    """A mean with its interval on a line from 0 to 1, and a tick where chance lies."""
    place = [f"{100 * value:.2f}%" for value in (mean, low, high, chance)]
    return (
        f'<svg role="img" aria-label="{escape(label)}">'
        '<line x1="0" x2="100%" y1="50%" y2="50%" stroke="var(--rule)"/>'
        f'<line x1="{place[3]}" x2="{place[3]}" y1="20%" y2="80%" stroke="var(--muted)"'
        ' stroke-dasharray="2 2"/>'
        f'<line x1="{place[1]}" x2="{place[2]}" y1="50%" y2="50%" stroke="var(--series-0)"'
        ' stroke-width="9" stroke-linecap="round" stroke-opacity=".4"/>'
        f'<circle cx="{place[0]}" cy="50%" r="3.5" fill="var(--series-0)"/></svg>'
    )


def png(picture: np.ndarray) -> bytes:
    """A grey picture `[height, width]`, uint8 or floats in 0 to 1, as the bytes of a PNG file.

    Source: Portable Network Graphics specification, W3C.
    """
    levels = to_bytes(np.asarray(picture))
    height, width = levels.shape
    lines = np.pad(levels, ((0, 0), (1, 0)))  # each line begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def image(picture: np.ndarray, description: str) -> str:
    """A picture inside the page."""
    content = base64.b64encode(png(picture)).decode("ascii")
    return f'<img src="data:image/png;base64,{content}" alt="{escape(description)}">'
