"""Pipelines: what each stage gives, its spec, cardinality and printing; that it repeats."""

import numpy as np
import pytest

import slipstream as tf

Dataset = tf.data.Dataset


def values(dataset):
    return [
        x.tolist() if isinstance(x, (np.ndarray, np.generic)) else x
        for x in dataset.as_numpy_iterator()
    ]


@pytest.fixture(autouse=True)
def seeded():
    tf.random.set_seed(1)


# sources


def test_slices_of_structures():
    data = Dataset.from_tensor_slices({"x": np.arange(6).reshape(3, 2), "y": [1.0, 2.0, 3.0]})
    assert data.element_spec == {
        "x": tf.TensorSpec([2], tf.int64),
        "y": tf.TensorSpec([], tf.float32),
    }
    elements = list(data)
    assert len(elements) == len(data) == 3
    np.testing.assert_array_equal(elements[1]["x"], [2, 3])
    assert float(elements[2]["y"]) == 3.0


def test_slices_of_pairs_are_tuples():
    pairs = list(Dataset.from_tensor_slices(([1, 2], [[3], [4]])))
    assert isinstance(pairs[0], tuple)
    assert int(pairs[1][0]) == 2
    assert pairs[1][1].shape == (1,)


def test_slices_refuse_what_has_none():
    with pytest.raises(ValueError, match="a scalar has no slices"):
        Dataset.from_tensor_slices(3.0)
    with pytest.raises(ValueError, match="differ in their first dimension"):
        Dataset.from_tensor_slices(([1, 2], [1, 2, 3]))


def test_from_tensors_is_one_element():
    data = Dataset.from_tensors([1, 2, 3])
    assert values(data) == [[1, 2, 3]]
    assert data.cardinality().numpy() == 1


def test_generator_with_signature_and_args():
    def count(stop):
        for i in range(int(stop)):
            yield i, [float(i)] * 2

    spec = (tf.TensorSpec([], tf.int32), tf.TensorSpec([2], tf.float32))
    data = Dataset.from_generator(count, args=(3,), output_signature=spec)
    assert [int(i) for i, _ in data] == [0, 1, 2]
    assert [int(i) for i, _ in data] == [0, 1, 2]  # from the beginning each time
    assert data.cardinality().numpy() == tf.data.UNKNOWN_CARDINALITY
    with pytest.raises(TypeError, match="unknown in length"):
        len(data)


def test_generator_of_the_wrong_shape():
    spec = tf.TensorSpec([2], tf.float32)
    data = Dataset.from_generator(lambda: iter([[1.0, 2.0, 3.0]]), output_signature=spec)
    with pytest.raises(TypeError, match="another shape"):
        list(data)


def test_generator_with_types():
    data = Dataset.from_generator(lambda: iter([1, 2]), output_types=tf.int64, output_shapes=())
    assert values(data) == [1, 2]


def test_range():
    assert values(Dataset.range(5)) == [0, 1, 2, 3, 4]
    assert values(Dataset.range(10, 3, -3)) == [10, 7, 4]
    assert Dataset.range(5, output_type=tf.int32).element_spec.dtype == tf.int32


# element by element


def test_map_gets_the_parts_of_tuples():
    data = Dataset.from_tensor_slices(([1.0, 2.0], [10.0, 20.0])).map(lambda x, y: (x + y, x * y))
    assert [(float(a), float(b)) for a, b in data] == [(11.0, 10.0), (22.0, 40.0)]
    assert data.element_spec == (tf.TensorSpec([], tf.float32),) * 2


def test_map_traces_once_and_keeps_order_in_parallel():
    traces = []

    def square(x):
        traces.append(x)
        return x * x

    data = Dataset.range(50).map(square, num_parallel_calls=4)
    assert values(data) == [i * i for i in range(50)]
    count = len(traces)
    assert values(data) == [i * i for i in range(50)]
    assert len(traces) == count <= 3


def test_map_with_an_error_raises_it():
    data = Dataset.from_tensor_slices([[1.0], [2.0]]).map(
        lambda x: tf.py_function(lambda t: 1 / 0, [x], tf.float32), num_parallel_calls=2
    )
    with pytest.raises(ZeroDivisionError):
        list(data)


def test_filter_and_take_while():
    assert values(Dataset.range(6).filter(lambda x: x % 2 == 0)) == [0, 2, 4]
    assert values(Dataset.range(6).take_while(lambda x: x < 3)) == [0, 1, 2]


def test_flat_map_and_interleave():
    data = Dataset.range(1, 4)
    flat = data.flat_map(lambda x: Dataset.from_tensors(x).repeat(2))
    assert values(flat) == [1, 1, 2, 2, 3, 3]
    mixed = data.interleave(
        lambda x: Dataset.from_tensors(x).repeat(4), cycle_length=2, block_length=3
    )
    assert values(mixed) == [1, 1, 1, 2, 2, 2, 1, 2, 3, 3, 3, 3]


def test_enumerate_zip_and_scan():
    data = Dataset.zip((Dataset.range(3), Dataset.from_tensor_slices([5.0, 6.0])))
    assert [(int(a), float(b)) for a, b in data] == [(0, 5.0), (1, 6.0)]
    assert len(data) == 2
    numbered = Dataset.from_tensor_slices([7, 8]).enumerate(start=5)
    assert [(int(i), int(x)) for i, x in numbered] == [(5, 7), (6, 8)]
    sums = Dataset.range(5).scan(np.int64(0), lambda s, x: (s + x, s + x))
    assert values(sums) == [0, 1, 3, 6, 10]


def test_reduce():
    total = Dataset.range(5).reduce(np.int64(0), lambda state, x: state + x)
    assert int(total) == 10


# which, in which order


def test_take_skip_shard_repeat():
    data = Dataset.range(10)
    assert values(data.take(3)) == [0, 1, 2]
    assert values(data.take(-1)) == list(range(10))
    assert values(data.skip(7)) == [7, 8, 9]
    assert values(data.shard(3, 1)) == [1, 4, 7]
    assert values(data.take(2).repeat(3)) == [0, 1] * 3
    assert len(data.skip(2).repeat(2)) == 16
    assert data.repeat().cardinality().numpy() == tf.data.INFINITE_CARDINALITY
    assert values(data.repeat().take(12)) == [*range(10), 0, 1]


def test_shuffle_is_a_permutation_and_differs_each_time():
    data = Dataset.range(100).shuffle(100)
    first, second = values(data), values(data)
    assert sorted(first) == sorted(second) == list(range(100))
    assert first != second != list(range(100))


def test_shuffle_repeats_by_seed():
    def run():
        tf.random.set_seed(5)
        data = Dataset.range(50).shuffle(50, seed=3)
        return values(data) + values(data)

    assert run() == run()


def test_shuffle_alike_each_time():
    data = Dataset.range(30).shuffle(30, seed=1, reshuffle_each_iteration=False)
    assert values(data) == values(data)


@pytest.mark.parametrize("through", ["indices", "elements"])
def test_a_small_buffer_moves_elements_a_little(through):
    data = Dataset.range(200)
    if through == "elements":
        data = data.filter(lambda x: x >= 0)
    mixed = values(data.shuffle(10))
    assert sorted(mixed) == list(range(200))
    assert all(value <= place + 9 for place, value in enumerate(mixed))  # none comes too early
    assert mixed != list(range(200))


def test_concatenate_and_unique():
    data = Dataset.range(3).concatenate(Dataset.range(2))
    assert values(data) == [0, 1, 2, 0, 1]
    assert values(data.unique()) == [0, 1, 2]
    with pytest.raises(TypeError, match="Incompatible"):
        data.concatenate(Dataset.from_tensors(1.0))


def test_sampling_draws_from_all():
    data = Dataset.sample_from_datasets(
        [Dataset.from_tensors(0).repeat(), Dataset.from_tensors(1).repeat()], [0.8, 0.2], seed=1
    )
    drawn = values(data.take(500))
    assert 50 < sum(drawn) < 150


# groups


def test_batches():
    data = Dataset.range(7)
    assert values(data.batch(3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert values(data.batch(3, drop_remainder=True)) == [[0, 1, 2], [3, 4, 5]]
    assert len(data.batch(3)) == 3
    assert data.batch(3).element_spec.shape.as_list() == [None]
    assert data.batch(3, drop_remainder=True).element_spec.shape.as_list() == [3]


def test_batch_of_unlike_elements():
    data = Dataset.range(1, 4).map(lambda x: tf.zeros([2]))
    assert values(data.batch(3)) == [[[0.0, 0.0]] * 3]
    ragged = Dataset.from_generator(
        lambda: iter([[1], [1, 2]]), output_signature=tf.TensorSpec([None], tf.int32)
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="padded_batch"):
        list(ragged.batch(2))
    assert values(ragged.padded_batch(2)) == [[[1, 0], [1, 2]]]
    assert values(ragged.padded_batch(2, padded_shapes=[3], padding_values=-1)) == [
        [[1, -1, -1], [1, 2, -1]]
    ]


def test_unbatch_and_rebatch():
    data = Dataset.range(7).batch(3)
    assert values(data.unbatch()) == list(range(7))
    assert values(data.rebatch(2)) == [[0, 1], [2, 3], [4, 5], [6]]


def test_windows():
    windows = [values(w) for w in Dataset.range(7).window(3)]
    assert windows == [[0, 1, 2], [3, 4, 5], [6]]
    sliding = [values(w) for w in Dataset.range(5).window(3, shift=1, drop_remainder=True)]
    assert sliding == [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    strided = [values(w) for w in Dataset.range(7).window(3, 1, 2, drop_remainder=True)]
    assert strided == [[0, 2, 4], [1, 3, 5], [2, 4, 6]]
    spaced = [values(w) for w in Dataset.range(9).window(2, shift=4)]
    assert spaced == [[0, 1], [4, 5], [8]]
    flat = Dataset.range(4).window(2).flat_map(lambda w: w.batch(2))
    assert values(flat) == [[0, 1], [2, 3]]


def test_batches_over_arrays_are_gathered(monkeypatch):
    from slipstream.data.sources import Slices

    def forbidden(self):
        raise AssertionError("a pipeline over arrays went element by element")

    monkeypatch.setattr(Slices, "rows", forbidden)
    pictures = np.arange(1000 * 4, dtype=np.float32).reshape(1000, 4)
    data = Dataset.from_tensor_slices((pictures, np.arange(1000)))
    data = data.shuffle(1000).repeat(2).skip(5).take(1990).batch(64).prefetch(1)
    rows = seen = 0
    for x, y in data:
        np.testing.assert_array_equal(x, pictures[y.numpy()])
        rows += len(y)
        seen += 1
    assert (rows, seen) == (1990, 32)


# keeping


def test_cache_reads_once():
    reads = []

    def source():
        reads.append(1)
        yield from range(3)

    data = Dataset.from_generator(source, output_signature=tf.TensorSpec([], tf.int32)).cache()
    assert values(data) == values(data) == [0, 1, 2]
    assert len(reads) == 1


def test_cache_in_a_file(tmp_path):
    path = str(tmp_path / "kept")
    assert values(Dataset.range(3).cache(path)) == [0, 1, 2]
    assert values(Dataset.range(9).cache(path)) == [0, 1, 2]  # what the file holds
    (tmp_path / "kept.npz").write_bytes(b"nothing")
    with pytest.raises(tf.errors.DataLossError, match="delete it"):
        values(Dataset.range(3).cache(path))


def test_prefetch_passes_elements_and_errors_on():
    assert values(Dataset.range(20).prefetch(3)) == list(range(20))

    def failing():
        yield 1
        raise KeyError("source")

    data = Dataset.from_generator(failing, output_signature=tf.TensorSpec([], tf.int32))
    with pytest.raises(KeyError, match="source"):
        list(data.prefetch(2))


# the face


def test_printing():
    data = Dataset.from_tensor_slices(np.zeros((4, 2), np.float32))
    shown = "<_TensorSliceDataset element_spec=TensorSpec(shape=(2,), dtype=tf.float32, name=None)>"
    assert repr(data) == shown
    assert repr(data.batch(2)).startswith("<_BatchDataset element_spec=TensorSpec(shape=(None, 2)")
    assert repr(data.map(lambda x: x)).startswith("<_MapDataset")


def test_single_element():
    assert int(Dataset.from_tensors(3).get_single_element()) == 3
    with pytest.raises(ValueError, match="exactly one element"):
        Dataset.range(2).get_single_element()


def test_infinite_has_no_length():
    with pytest.raises(TypeError, match="infinite"):
        len(Dataset.range(2).repeat())


def test_functions_that_need_numbers_run_eagerly():
    def halved(x):
        if x % 2 == 0:
            return x // 2
        return -x

    assert values(Dataset.range(4).map(halved)) == [0, -1, 1, -3]
    grown = Dataset.range(1, 4).map(lambda n: tf.fill([n], n), num_parallel_calls=2)
    assert grown.element_spec.shape is None
    assert values(grown) == [[1], [2, 2], [3, 3, 3]]

    def large(x):
        return bool(x > 1)

    assert values(Dataset.range(4).filter(large)) == [2, 3]


def test_wrong_functions_are_told_of():
    with pytest.raises(tf.errors.InvalidArgumentError, match="do not fill"):
        Dataset.range(3).map(lambda x: tf.reshape(x, [2]))


def test_an_iterator_gives_the_next():
    elements = iter(Dataset.range(1))
    assert elements.element_spec == tf.TensorSpec([], tf.int64)
    assert int(elements.get_next()) == 0
    with pytest.raises(tf.errors.OutOfRangeError):
        elements.get_next()


def test_names_before_tensorflow_2_5():
    experimental = tf.data.experimental
    assert experimental.AUTOTUNE == tf.data.AUTOTUNE
    assert int(experimental.cardinality(Dataset.range(3))) == 3
    windows = repr(Dataset.range(4).window(2))
    assert windows.endswith("DatasetSpec(TensorSpec(shape=(), dtype=tf.int64, name=None), "
                            "TensorShape([]))>")  # fmt: skip
