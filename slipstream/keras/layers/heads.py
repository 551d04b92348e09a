"""What attention with several heads has in common: projections, masks, shares, dropout."""

from __future__ import annotations

import math
from typing import Any

from slipstream.ir.dtypes import bool_
from slipstream.keras import constraints, initializers, regularizers
from slipstream.keras.activations import softmax
from slipstream.keras.layers.activation_layers import Softmax
from slipstream.keras.layers.attention_masks import (
    causal_mask,
    merged,
    of_sequences,
    window_mask,
    with_rank,
)
from slipstream.keras.layers.einsum_dense import EinsumDense
from slipstream.keras.layers.layer import Layer
from slipstream.keras.layers.regularization import Dropout
from slipstream.ops.conversion import cast
from slipstream.ops.indexing import where

KINDS = {"initializer": initializers, "regularizer": regularizers, "constraint": constraints}
FAR = {"float16": -4.5e4, "bfloat16": -2.3e38, "float32": -2.3e38, "float64": -1.2e308}


class HeadAttention(Layer):
    """Base of attention with heads. A subclass makes the projections and multiplies by heads.

    `dropout` acts on the shares in training. `sliding_window` w: a position sees w - 1 positions
    before it and after it. `use_gate`: sigmoid(a projection of the query) multiplies what the
    heads find (Qiu and others 2025). `flash_attention` is accepted and changes nothing: how
    attention is computed is the compiler's choice. Initializers, regularizers and constraints are
    those of every projection.
    """

    scale_by: int  # the features of a query's head

    def __init__(
        self,
        *,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if sliding_window is not None:
            check_positive("sliding_window", sliding_window)
        self.dropout, self.use_bias, self.use_gate = dropout, use_bias, use_gate
        self.sliding_window, self.flash_attention, self.seed = sliding_window, flash_attention, seed
        self._of_projections = {
            "kernel_initializer": initializers.get(kernel_initializer),
            "bias_initializer": initializers.get(bias_initializer),
            "kernel_regularizer": regularizers.get(kernel_regularizer),
            "bias_regularizer": regularizers.get(bias_regularizer),
            "activity_regularizer": regularizers.get(activity_regularizer),
            "kernel_constraint": constraints.get(kernel_constraint),
            "bias_constraint": constraints.get(bias_constraint),
        }
        self.supports_masking = True

    # what subclasses say

    def _projections(self) -> tuple[EinsumDense, EinsumDense, EinsumDense, EinsumDense]:
        """Those of query, key and value, and of the outputs."""
        raise TypeError(f"{type(self).__name__} has no projections; use one of its subclasses")

    def _scores(self, query: Any, key: Any) -> Any:
        """The products of projected queries and keys: [batch, heads, targets, sources]."""
        raise TypeError(f"{type(self).__name__} has no heads; use one of its subclasses")

    def _mixed(self, shares: Any, value: Any) -> Any:
        """The values of the sources by their shares, with the axes of a projected query."""
        raise TypeError(f"{type(self).__name__} has no heads; use one of its subclasses")

    # making

    def _projection(
        self, name: str, equation: str, sizes: tuple[Any, ...], bias_axes: str,
        activation: Any = None,
    ) -> EinsumDense:  # fmt: skip
        """A dense layer; random initializers are copies with seeds of their own."""
        given = {
            k: v.clone() if hasattr(v, "clone") else v for k, v in self._of_projections.items()
        }
        made = EinsumDense(
            equation, sizes, activation, bias_axes if self.use_bias else None,
            dtype=self.dtype_policy, name=name, **given,
        )  # fmt: skip
        made.supports_masking = True  # a query's mask is read here, and is no loss there
        return made

    def _make_shares(self, attended: int) -> None:
        """The layers that make shares of scores over so many axes of sources."""
        axes = tuple(range(-attended, 0))
        self._softmax = Softmax(axis=axes if attended > 1 else -1, dtype=self.dtype_policy)
        self._dropout_layer = None
        if self.dropout > 0:
            self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)
        self._attended = attended

    # computing

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """The outputs; with `return_attention_scores` the shares too.

        query [batch, targets, features], value and key [batch, sources, features]; masks
        bool[batch, targets] or [batch, sources]; attention_mask bool[batch, targets, sources].
        """
        sizes = query.shape[1], value.shape[1]
        mask = merged(
            None if attention_mask is None else cast(attention_mask, bool_),
            of_sequences(query_mask, value_mask, key_mask),
            causal_mask(*sizes) if use_causal_mask else None,
            window_mask(*sizes, self.sliding_window) if self.sliding_window else None,
        )
        gate = self._gate_dense(query) if self.use_gate else None
        of_query, of_key, of_value, of_outputs = self._projections()
        scaled = of_query(query) * (1.0 / math.sqrt(self.scale_by))
        scores = self._scores(scaled, of_key(value if key is None else key))
        shares = self._shares(scores, mask, return_attention_scores)
        kept = shares
        if self._dropout_layer is not None:
            kept = self._dropout_layer(shares, training=training)
        found = self._mixed(kept, of_value(value))
        outputs = of_outputs(found if gate is None else found * gate)
        return (outputs, shares) if return_attention_scores else outputs

    def _shares(self, scores: Any, mask: Any, is_shown: bool) -> Any:
        """The softmax of scores over the sources, none where the mask forbids it.

        As in Keras, who may see nothing shares out equally, unless shares are returned or dropped:
        then there are none.
        """
        if mask is not None:
            mask = with_rank(mask, len(scores.shape), self._attended)
        if mask is None or is_shown or self.dropout > 0 or self._attended > 1:
            return self._softmax(scores, mask=mask)
        return softmax(where(mask, scores, FAR[scores.dtype.name]))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Found by tracing: how many outputs there are depends on the call."""
        return self._traced_spec(args, kwargs)

    def get_config(self) -> dict[str, Any]:
        names = ("dropout", "use_bias", "use_gate", "sliding_window", "seed")
        parts = {
            name: KINDS[name.partition("_")[2]].serialize(part)
            for name, part in self._of_projections.items()
        }
        return super().get_config() | {name: getattr(self, name) for name in names} | parts


def check_positive(name: str, value: Any) -> int:
    """The value; ValueError unless it is a positive integer."""
    if not isinstance(value, int) or value <= 0:
        raise ValueError(
            f"Received an invalid value for argument `{name}`, expected a positive integer. "
            f"Received: {name}={value}"
        )
    return value
