"""tf.strings: bytes, shapes, broadcasting, traced programs, and bad text."""

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops import strings as tf
from slipstream.runtime.convert import convert
from slipstream.runtime.function import function


def listed(tensor):
    return tensor.numpy().tolist() if tensor.shape else tensor.numpy()


def test_join_broadcasts():
    assert listed(tf.join(["a", ["b", "c"], "d"], separator="-")) == [b"a-b-d", b"a-c-d"]
    assert listed(tf.join(["a", "b"])) == b"ab"


def test_reduce_join_along_axes():
    x = [["a", "b"], ["c", "d"]]
    assert listed(tf.reduce_join(x)) == b"abcd"
    assert listed(tf.reduce_join(x, axis=0, separator=" ")) == [b"a c", b"b d"]
    assert listed(tf.reduce_join(x, axis=-1, keepdims=True)) == [[b"ab"], [b"cd"]]


def test_case_of_ascii_and_of_all_letters():
    x = ["Straße É", "x"]
    assert listed(tf.lower(x)) == ["straße É".encode(), b"x"]
    assert listed(tf.upper(x, encoding="utf-8")) == ["STRASSE É".encode(), b"X"]
    with pytest.raises(ValueError, match="encoding"):
        tf.lower(x, encoding="latin")


def test_length_and_parts_in_bytes_and_characters():
    x = ["héllo", ""]
    assert listed(tf.length(x)) == [6, 0]
    assert listed(tf.length(x, unit="UTF8_CHAR")) == [5, 0]
    assert listed(tf.substr("hello", [1, -3], [2, 9])) == [b"el", b"llo"]
    assert listed(tf.substr("héllo", 1, 2, unit="UTF8_CHAR")) == "él".encode()
    with pytest.raises(InvalidArgumentError, match="out of range"):
        tf.substr("hello", 6, 1)
    with pytest.raises(ValueError, match="unit"):
        tf.length(x, unit="WORD")


def test_patterns():
    assert listed(tf.regex_replace(["a1b2", "c"], r"(\d)", r"<\1\0>")) == [b"a<11>b<22>", b"c"]
    assert listed(tf.regex_replace("aaa", "a", "b", replace_global=False)) == b"baa"
    assert listed(tf.regex_full_match(["abc", "abcd"], "[a-c]+")) == [True, False]
    with pytest.raises(InvalidArgumentError, match="Invalid pattern"):
        tf.regex_replace("a", "(", "b")


def test_strip():
    assert listed(tf.strip(["  a b\n", "\t"])) == [b"a b", b""]


def test_numbers_to_text_and_back():
    assert listed(tf.to_number(["1e3", " -2.5 "])) == [1000, -2.5]
    assert tf.to_number("7", "int64").dtype == "int64"
    with pytest.raises(InvalidArgumentError, match="could not correctly convert string"):
        tf.to_number("seven")
    assert listed(tf.as_string([1, -2])) == [b"1", b"-2"]
    assert listed(tf.as_string(3.5)) == b"3.500000"
    assert listed(tf.as_string(3.5, precision=1, width=6, fill="0")) == b"0003.5"
    assert listed(tf.as_string([3.5], width=6, precision=1)) == [b"   3.5"]
    assert listed(tf.as_string([1234.5], scientific=True, precision=2)) == [b"1.23e+03"]
    assert listed(tf.as_string([0.5], shortest=True)) == [b"0.5"]
    assert listed(tf.as_string([True, False])) == [b"true", b"false"]
    assert listed(tf.as_string("text")) == b"text"
    with pytest.raises(ValueError, match="both scientific and shortest"):
        tf.as_string(1.0, scientific=True, shortest=True)


def test_format():
    assert listed(tf.format("{} and {}", (convert(1.5), convert(["a"])))) == b'1.5 and ["a"]'
    assert listed(tf.format("x%", convert(np.arange(10)), "%")) == b"x[0 1 2 ... 7 8 9]"
    with pytest.raises(ValueError, match="placeholders"):
        tf.format("{}", ())


def test_split():
    assert listed(tf.split(" a  b ")) == [b"a", b"b"]
    assert listed(tf.split(["a,b", ",c"], ",")) == [[b"a", b"b"], [b"", b"c"]]
    assert listed(tf.split("a,b,c", ",", maxsplit=1)) == [b"a", b"b,c"]
    with pytest.raises(InvalidArgumentError, match="different numbers"):
        tf.split(["a b", "c"])


def test_text_in_traced_programs():
    @function
    def traced(x):
        return tf.join([tf.lower(x), tf.as_string(tf.length(x))])

    assert listed(traced(convert(["AB", "c"]))) == [b"ab2", b"c1"]

    @function
    def splitting(x):
        return tf.split(x)

    with pytest.raises(InvalidArgumentError, match="while a program is traced"):
        splitting(convert("a b"))


def test_numbers_are_no_text():
    with pytest.raises(InvalidArgumentError, match="no text"):
        tf.lower([1, 2])
