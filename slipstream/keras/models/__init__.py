"""Models: functional, sequential and subclassed; loading, cloning."""

from slipstream.keras.models.cloning import clone_model, model_from_json
from slipstream.keras.models.functional import Functional
from slipstream.keras.models.model import Model
from slipstream.keras.models.sequential import Sequential
from slipstream.keras.saving.files import load_model, save_model

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]
