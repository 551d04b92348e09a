"""Reverse-mode differentiation: one walk over applications, driven by the primitives' records."""

from slipstream.autodiff.reverse import Application, backward, differentiate

__all__ = ["Application", "backward", "differentiate"]
