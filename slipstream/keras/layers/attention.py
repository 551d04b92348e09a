"""Attention without heads: `Attention` by products, `AdditiveAttention` by sums."""

from __future__ import annotations

from typing import Any

from slipstream.keras.layers.attention_masks import causal_mask, merged
from slipstream.keras.layers.layer import Layer
from slipstream.keras.seeds import SeedGenerator
from slipstream.ops.activations import softmax
from slipstream.ops.elementary import tanh
from slipstream.ops.equation import einsum
from slipstream.ops.indexing import where
from slipstream.ops.random import dropped
from slipstream.ops.reduction import reduce_sum
from slipstream.ops.shaping import expand_dims


class Attention(Layer):
    """softmax(scores of query and key) @ value (Luong, Pham & Manning 2015).

    Called on [query, value] or [query, value, key]: [batch, targets, dim] and [batch, sources,
    dim]; the key is the value if it is not given. A score is the product of two positions, or with
    score_mode="concat" the sum of tanh(query + key). `use_scale` learns a factor. `dropout` acts on
    the shares in training. `mask` is [query mask, value mask], bool[batch, positions].

    >>> import slipstream as tf
    >>> Attention()([tf.ones([2, 3, 4]), tf.ones([2, 5, 4])]).shape
    TensorShape([2, 3, 4])
    """

    def __init__(
        self, use_scale: bool = False, score_mode: str = "dot", dropout: float = 0.0,
        seed: int | None = None, **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(**options)
        if score_mode not in ("dot", "concat"):
            raise ValueError(
                "Invalid value for argument score_mode. Expected one of {'dot', 'concat'}. "
                f"Received: score_mode={score_mode}"
            )
        self.use_scale, self.score_mode = use_scale, score_mode
        self.dropout, self.seed = dropout, seed
        self.seed_generator = SeedGenerator(seed) if dropout > 0 else None
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self._check_inputs(input_shape)
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            name = "concat_score_weight"
            self.concat_score_weight = self.add_weight(name=name, shape=(), initializer="ones")

    def call(
        self, inputs: Any, mask: Any = None, training: bool = False,
        return_attention_scores: bool = False, use_causal_mask: bool = False,
    ) -> Any:  # fmt: skip
        self._check_inputs(inputs, mask)
        query, value = inputs[:2]
        query_mask, value_mask = mask[:2] if mask else (None, None)
        scores = self._scores(query, inputs[2] if len(inputs) > 2 else value)
        scores = self._masked(scores, value_mask, use_causal_mask)
        shares = softmax(scores, axis=-1)
        if training and self.seed_generator is not None:
            shares = dropped(shares, self.dropout, self.seed_generator.draw())
        outputs = einsum("...ts,...sd->...td", shares, value)
        if query_mask is not None:
            outputs = where(expand_dims(query_mask, -1), outputs, 0.0)
        return (outputs, shares) if return_attention_scores else outputs

    def _scores(self, query: Any, key: Any) -> Any:
        """How well each target fits each source: [batch, targets, sources]."""
        if self.score_mode == "concat":
            pairs = expand_dims(query, -2) + expand_dims(key, -3)
            scaled = pairs if self.scale is None else self.scale * pairs
            return self.concat_score_weight * reduce_sum(tanh(scaled), axis=-1)
        scores = einsum("...td,...sd->...ts", query, key)
        return scores if self.scale is None else scores * self.scale

    def _masked(self, scores: Any, value_mask: Any, causal: bool) -> Any:
        """The scores, those of what may not be seen far below all others."""
        columns = None if value_mask is None else expand_dims(value_mask, -2)
        mask = merged(columns, causal_mask(*scores.shape[-2:]) if causal else None)
        if mask is None:
            return scores
        far = 65504.0 if scores.dtype.name == "float16" else 1e9
        return where(mask, scores, scores - far)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The query's."""
        return previous_mask[0] if previous_mask else None

    def _check_inputs(self, inputs: Any, mask: Any = None) -> None:
        kind = type(self).__name__
        if not isinstance(inputs, list) or not 2 <= len(inputs) <= 3:
            raise ValueError(
                f"{kind} layer must be called on a list of inputs, namely [query, value] or "
                f"[query, value, key]. Received: inputs={inputs}."
            )
        if mask is not None and not (isinstance(mask, list) and 2 <= len(mask) <= 3):
            raise ValueError(
                f"{kind} layer mask must be a list, namely [query_mask, value_mask]. "
                f"Received: mask={mask}."
            )

    def get_config(self) -> dict[str, Any]:
        names = ("use_scale", "score_mode", "dropout", "seed")
        return super().get_config() | {name: getattr(self, name) for name in names}


class AdditiveAttention(Attention):
    """Attention whose score is the sum of scale * tanh(query + key), with a learnt scale a feature
    (Bahdanau, Cho & Bengio 2015). Called as `Attention`.
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **options: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **options)

    def build(self, input_shape: Any) -> None:
        self._check_inputs(input_shape)
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight(
                name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform"
            )

    def _scores(self, query: Any, key: Any) -> Any:
        found = tanh(expand_dims(query, -2) + expand_dims(key, -3))
        return reduce_sum(found if self.scale is None else self.scale * found, axis=-1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["score_mode"]
        return config
