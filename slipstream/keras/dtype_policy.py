"""The dtype a layer computes in and the dtype its variables are kept in."""

from __future__ import annotations

from typing import Any

from slipstream.ir.dtypes import as_dtype
from slipstream.keras import config


class DTypePolicy:
    """'float32' computes and keeps in float32; 'mixed_bfloat16' computes in bfloat16 and keeps
    float32.

    >>> DTypePolicy("mixed_float16").variable_dtype
    'float32'
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name or config.global_policy_name()
        if self.name in ("mixed_float16", "mixed_bfloat16"):
            self.compute_dtype, self.variable_dtype = self.name.removeprefix("mixed_"), "float32"
            return
        try:
            self.compute_dtype = self.variable_dtype = as_dtype(self.name).name
        except (TypeError, ValueError):
            raise ValueError(
                f"Cannot convert '{self.name}' to a DTypePolicy. Expected a dtype such as "
                "'float32', or 'mixed_float16', 'mixed_bfloat16'"
            ) from None

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        return cls(config["name"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self.name}">'


def get(identifier: Any) -> DTypePolicy:
    """A policy of a policy, a dtype, a name, a saved config, or None (the global policy)."""
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        return DTypePolicy(identifier.get("config", identifier)["name"])
    if identifier is None or isinstance(identifier, str):
        return DTypePolicy(identifier)
    return DTypePolicy(as_dtype(identifier).name)


def dtype_policy() -> DTypePolicy:
    """The policy of layers that are given none."""
    return DTypePolicy()


def set_dtype_policy(policy: Any) -> None:
    """Set the policy of layers made from now on."""
    config.set_global_policy_name(get(policy).name)
