"""`tf.config`: which devices there are, and how functions are run."""

from __future__ import annotations

from typing import Any, NamedTuple

from slipstream import settings
from slipstream.runtime.function import RUN_EAGERLY


class PhysicalDevice(NamedTuple):
    """A processor of this machine."""

    name: str
    device_type: str


LogicalDevice = PhysicalDevice


def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The processor; there are no others."""
    devices = [PhysicalDevice("/physical_device:CPU:0", "CPU")]
    return [d for d in devices if device_type in (None, d.device_type)]


def list_logical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    return [
        PhysicalDevice("/device:CPU:0", d.device_type) for d in list_physical_devices(device_type)
    ]


class _Threading:
    """`tf.config.threading`: how many threads programs use, which `SLIPSTREAM_THREADS` sets."""

    def get_intra_op_parallelism_threads(self) -> int:
        return settings.thread_count()

    def get_inter_op_parallelism_threads(self) -> int:
        return 1


threading = _Threading()


def functions_run_eagerly() -> bool:
    """Whether traced functions run as plain Python."""
    return RUN_EAGERLY[0]


def run_functions_eagerly(run_eagerly: bool) -> None:
    """Let `tf.function` run its Python each time, for debugging."""
    RUN_EAGERLY[0] = bool(run_eagerly)


def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """Accepted: the processor is always visible."""
