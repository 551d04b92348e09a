"""Callbacks: what happens around epochs and batches."""

from slipstream.keras.callbacks.acting import (
    CSVLogger,
    LambdaCallback,
    LearningRateScheduler,
    TerminateOnNaN,
)
from slipstream.keras.callbacks.callback import Callback, CallbackList, History, ProgbarLogger
from slipstream.keras.callbacks.monitoring import (
    EarlyStopping,
    ModelCheckpoint,
    ReduceLROnPlateau,
)

__all__ = [
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TerminateOnNaN",
]
