"""`GroupQueryAttention`: several heads of the query share one of key and value."""

from __future__ import annotations

from typing import Any

from slipstream.keras.layers.einsum_dense import EinsumDense
from slipstream.keras.layers.heads import HeadAttention, check_positive
from slipstream.ops.equation import einsum
from slipstream.ops.shaping import reshape


class GroupedQueryAttention(HeadAttention):
    """Attention whose query has more heads than key and value (Ainslie and others 2023).

    Called as layer(query, value, key=value): query [batch, targets, features], value and key
    [batch, sources, features]; the result is [batch, targets, features]. With one head of key and
    value it is multi-query attention. The other arguments are described at `HeadAttention`, those
    of a call at its `call`.

    >>> import slipstream as tf
    >>> x = tf.ones([2, 5, 8])
    >>> GroupedQueryAttention(head_dim=4, num_query_heads=4, num_key_value_heads=2)(x, x).shape
    TensorShape([2, 5, 8])
    """

    public_name = "GroupQueryAttention"  # in Keras and its files; weights go by the class' name

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            dropout=dropout, use_bias=use_bias, sliding_window=sliding_window, **options
        )
        self.head_dim = self.scale_by = check_positive("head_dim", head_dim)
        self.num_query_heads = check_positive("num_query_heads", num_query_heads)
        self.num_key_value_heads = check_positive("num_key_value_heads", num_key_value_heads)
        if num_query_heads % num_key_value_heads:
            raise ValueError(
                "`num_query_heads` must be divisible by `num_key_value_heads`. Received: "
                f"num_query_heads={num_query_heads}, num_key_value_heads={num_key_value_heads}"
            )

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = value_shape if key_shape is None else key_shape
        many, few = self.num_query_heads, self.num_key_value_heads
        self._query_dense = self._to_heads("query", query_shape, many)
        self._key_dense = self._to_heads("key", key_shape, few)
        if self.use_gate:
            self._gate_dense = self._to_heads("gate", query_shape, many, "sigmoid")
        self._value_dense = self._to_heads("value", value_shape, few)
        self._make_shares(1)
        features = query_shape[-1]
        self._output_dense = self._projection(
            "attention_output", "btuh,uhm->btm", (None, features), "m"
        )
        self._output_dense.build((None, None, many, self.head_dim))

    def _to_heads(self, name: str, shape: Any, heads: int, activation: Any = None) -> EinsumDense:
        sizes = (None, heads, self.head_dim)
        made = self._projection(name, "btm,muh->btuh", sizes, "uh", activation)
        made.build(shape)
        return made

    def _projections(self) -> tuple[EinsumDense, EinsumDense, EinsumDense, EinsumDense]:
        return self._query_dense, self._key_dense, self._value_dense, self._output_dense

    # in the equations: v the heads of key and value, r the query's heads that share one

    def _scores(self, query: Any, key: Any) -> Any:
        batch, targets, heads, features = query.shape
        few = self.num_key_value_heads
        query = reshape(query, (batch, targets, few, heads // few, features))
        scores = einsum("btvrh,bsvh->bvrts", query, key)
        return reshape(scores, (batch, heads, targets, key.shape[1]))

    def _mixed(self, shares: Any, value: Any) -> Any:
        batch, heads, targets, sources = shares.shape
        few = self.num_key_value_heads
        shares = reshape(shares, (batch, few, heads // few, targets, sources))
        found = einsum("bvrts,bsvh->btvrh", shares, value)
        return reshape(found, (batch, targets, heads, self.head_dim))

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> tuple[Any, ...]:
        return tuple(query_shape)

    def get_config(self) -> dict[str, Any]:
        names = ("head_dim", "num_query_heads", "num_key_value_heads")
        return super().get_config() | {name: getattr(self, name) for name in names}


GroupQueryAttention = GroupedQueryAttention
