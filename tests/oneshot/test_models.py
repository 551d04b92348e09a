"""The networks: what is shared, what the similarity says, and that embeddings stand alone."""

from dataclasses import replace

import numpy as np
import pytest
from small import RECIPE, pictures

from slipstream.errors import InvalidArgumentError
from slipstream.oneshot.models import (
    BATCH,
    Classifier,
    Embedder,
    Residual,
    Siamese,
    build,
    moved,
)
from slipstream.oneshot.pictures import to_floats
from slipstream.oneshot.recipe import Recipe

IMAGES = pictures(classes=4, each=3).images


@pytest.fixture(scope="module")
def network():
    return build(Siamese(RECIPE))


def test_two_towers_share_every_weight(network):
    tower, whole = network.tower.count_params(), network.count_params()
    assert whole == tower + 2  # the similarity's sharpness and reach
    first = IMAGES.astype(np.float32)[..., None] / 255
    distances, log_odds = network(np.concatenate([first, first[::-1]]))
    turned, _ = network(np.concatenate([first[::-1], first]))
    np.testing.assert_allclose(distances.numpy(), turned.numpy(), atol=1e-5)
    assert log_odds.shape == (12,)


def test_the_odds_fall_with_the_distance(network):
    pairs = np.float32([[1, 0, 0, 0, 0, 0, 0, 0]] * 3)
    others = np.float32([[1, 0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0, 0]])
    others = np.concatenate([others, [[-1, 0, 0, 0, 0, 0, 0, 0]]]).astype(np.float32)
    distances, log_odds = network.similarity([pairs, others])
    np.testing.assert_allclose(distances.numpy(), [0, 2**0.5, 2], atol=1e-4)
    assert log_odds.numpy()[0] > 0 > log_odds.numpy()[1] > log_odds.numpy()[2]


def test_embeddings_have_length_one_and_the_recipe_s_size(network):
    vectors = Embedder(network.tower)(IMAGES)
    assert vectors.shape == (12, RECIPE.embedding)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("views", [1, 3])
def test_an_embedding_does_not_depend_on_its_neighbours(network, views):
    embed = Embedder(network.tower, views)
    together = embed(np.concatenate([IMAGES] * (BATCH // 12 + 2)))
    np.testing.assert_allclose(together[:12], embed(IMAGES), atol=1e-5)
    np.testing.assert_allclose(together[-1:], embed(IMAGES[-1:]), atol=1e-5)


def test_views_are_averaged(network):
    one, many = Embedder(network.tower, 1)(IMAGES), Embedder(network.tower, 4)(IMAGES)
    assert 1e-4 < np.abs(one - many).max() < 1


def test_every_second_view_is_mirrored_where_sides_are_alike(network):
    mirrored = build(Siamese(replace(RECIPE, mirrored=True))).tower
    mirrored.set_weights(network.tower.get_weights())
    plain, copy = Embedder(mirrored, 1), moved(to_floats(IMAGES), 1)
    np.testing.assert_array_equal(plain(IMAGES), Embedder(network.tower)(IMAGES))
    both = plain(IMAGES) + plain(copy[:, :, ::-1])
    expected = both / np.linalg.norm(both, axis=1, keepdims=True)
    np.testing.assert_allclose(Embedder(mirrored, 2)(IMAGES), expected, atol=1e-5)


def test_residual_convolutions_add_to_what_they_get():
    add = Residual(3)
    values = np.random.default_rng(0).normal(size=(2, 5, 5, 3)).astype(np.float32)
    add(values)
    add.set_weights([np.zeros_like(one) for one in add.get_weights()])
    np.testing.assert_array_equal(add(values).numpy(), values)
    counts = [Siamese(replace(RECIPE, residual=number)) for number in (0, 2)]
    few, many = (build(one).tower.count_params() for one in counts)
    assert many == few + 2 * sum(9 * count * count + 4 * count for count in RECIPE.channels)


def test_the_classifier_has_an_output_for_each_class():
    logits = build(Classifier(RECIPE, 7))(np.zeros((3, 28, 28, 1), np.float32))
    assert logits.shape == (3, 7)


def test_a_projected_tower_embeds_with_what_comes_before_its_last_layer():
    network = build(Siamese(replace(RECIPE, projected=True)))
    assert Embedder(network.tower)(IMAGES).shape == (12, 7 * 7 * 8)
    shown = IMAGES[..., None].astype(np.float32) / 255
    assert network.judged(shown, False).shape == (12, RECIPE.embedding)


def test_a_small_power_lifts_faint_parts():
    plain, lifted = (build(Siamese(replace(RECIPE, gamma=gamma))).tower for gamma in (1.0, 0.5))
    lifted.set_weights(plain.get_weights())
    shown = IMAGES[..., None].astype(np.float32) / 255
    np.testing.assert_allclose(lifted(shown**2).numpy(), plain(shown).numpy(), atol=2e-2)


def test_deep_towers_stop_pooling():
    network = build(Siamese(Recipe(channels=(2, 2, 2, 2, 2, 2), embedding=3)))
    assert Embedder(network.tower)(IMAGES).shape == (12, 3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": "best"},
        {"epochs": 0},
        {"each": 1},
        {"learning_rate": float("nan")},
        {"learning_rate": -1.0},
        {"margin": 0.0},
        {"channels": ()},
        {"erase": 1.5},
        {"augmentation": -1.0},
        {"residual": -1},
        {"pairs": -1.0},
    ],
)
def test_a_recipe_that_cannot_be_trained_is_refused(wrong):
    with pytest.raises(InvalidArgumentError, match=next(iter(wrong))):
        Recipe(**wrong)


def test_a_recipe_survives_json():
    assert Recipe.from_json(RECIPE.to_json()) == RECIPE
    with pytest.raises(InvalidArgumentError, match="speed"):
        Recipe.from_json({"speed": 3})
