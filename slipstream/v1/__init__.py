"""The TensorFlow 1 face: `import slipstream.v1 as tf`. Also `tf.compat.v1` of the TensorFlow 2
face.

Every function here adds to the default graph; a session runs it. Names that are not defined here
are those of TensorFlow 2,
recorded in the same way.
"""

from __future__ import annotations

import importlib
from typing import Any

from slipstream import errors, namespaces
from slipstream.ir.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    string,
    uint8,
    uint16,
    uint32,
    uint64,
)
from slipstream.ir.dtypes import bool_ as bool
from slipstream.namespaces import top
from slipstream.runtime.convert import is_tensor
from slipstream.runtime.device import device
from slipstream.runtime.shape import TensorShape
from slipstream.runtime.slices import IndexedSlices
from slipstream.runtime.tensor import Tensor
from slipstream.v1 import renamed, train
from slipstream.v1.building import (
    add_to_collection,
    assign,
    assign_add,
    assign_sub,
    control_dependencies,
    get_collection,
    get_collection_ref,
    global_variables,
    global_variables_initializer,
    group,
    local_variables,
    local_variables_initializer,
    name_scope,
    no_op,
    placeholder,
    placeholder_with_default,
    report_uninitialized_variables,
    set_random_seed,
    variables_initializer,
)
from slipstream.v1.building import tuple_ as tuple
from slipstream.v1.derivatives import gradients
from slipstream.v1.face import RecordingModule, wrapped
from slipstream.v1.graph import (
    Graph,
    GraphKeys,
    GraphTensor,
    Operation,
    get_default_graph,
    in_graph,
    reset_default_graph,
)
from slipstream.v1.initializers import (
    constant_initializer,
    glorot_normal_initializer,
    glorot_uniform_initializer,
    ones_initializer,
    random_normal_initializer,
    random_uniform_initializer,
    truncated_normal_initializer,
    variance_scaling_initializer,
    zeros_initializer,
)
from slipstream.v1.scopes import (
    AUTO_REUSE,
    VariableScope,
    get_variable,
    get_variable_scope,
    variable_scope,
)
from slipstream.v1.session import InteractiveSession, Session
from slipstream.v1.sessions import get_default_session
from slipstream.v1.settings import (
    ConfigProto,
    GPUOptions,
    OptimizerOptions,
    RunMetadata,
    RunOptions,
    disable_eager_execution,
    disable_resource_variables,
    disable_v2_behavior,
    disable_v2_tensorshape,
    enable_eager_execution,
    enable_resource_variables,
    executing_eagerly,
    logging,
)
from slipstream.v1.train import trainable_variables
from slipstream.v1.variables import Variable

initialize_all_variables = global_variables_initializer
all_variables = global_variables


def __getattr__(name: str) -> Any:
    """A name of TensorFlow 2, or one that it changed, adding to the graph."""
    if name in namespaces.MODULES:
        changed = renamed.NN if name == "nn" else None
        found: Any = RecordingModule(namespaces.load(name), changed)
    elif name == "layers":
        found = importlib.import_module("slipstream.v1.layers")
    elif name in ("data", "keras"):
        found = importlib.import_module(f"slipstream.{name}")
    else:
        found = _function(name)
    globals()[name] = found
    return found


def _function(name: str) -> Any:
    if name in renamed.TOP:
        return wrapped(renamed.TOP[name])
    if not hasattr(top, name):
        raise AttributeError(f"module 'slipstream.v1' has no attribute {name!r}")
    return wrapped(getattr(top, name))
