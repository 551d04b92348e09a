"""Base of optimizers: slots for each variable, clipping, weight decay, the learning rate."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from slipstream.ir.dtypes import float32
from slipstream.keras import initializers
from slipstream.keras.context import name_scope
from slipstream.keras.naming import auto_name
from slipstream.keras.optimizers.schedules import (
    InverseTimeDecay,
    LearningRateSchedule,
    deserialize,
)
from slipstream.keras.registry import serialize_keras_object
from slipstream.keras.variables import KerasVariable
from slipstream.ops.arithmetic import clip_by_value
from slipstream.ops.comparison import equal
from slipstream.ops.control import cond
from slipstream.ops.conversion import cast
from slipstream.ops.indexing import where
from slipstream.ops.normalization import clip_by_global_norm, clip_by_norm
from slipstream.runtime.convert import convert
from slipstream.runtime.slices import IndexedSlices
from slipstream.runtime.tape import GradientTape


class Optimizer:
    """Base of optimizers.

    A subclass makes its slots in `build(variables)` by `add_variable_from_reference`, and changes
    one variable in `update_step(gradient, variable, learning_rate)`. A rate is a float, a schedule
    or a function without arguments. `use_ema` keeps moving averages of the variables,
    `gradient_accumulation_steps` batches make one step.
    """

    takes_rows = False  # whether update_step takes IndexedSlices as they are

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        **options: Any,
    ) -> None:
        learning_rate = options.pop("lr", learning_rate)
        decay = options.pop("decay", None)  # of Keras 2: rate / (1 + decay * steps done)
        if decay:
            learning_rate = InverseTimeDecay(learning_rate, decay_steps=1, decay_rate=decay)
        if options:
            raise ValueError(f"Argument(s) not recognized: {options}")
        self.name = name or auto_name(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm, self.clipvalue, self.global_clipnorm = clipnorm, clipvalue, global_clipnorm
        _check_clipping(clipnorm, clipvalue, global_clipnorm)
        _check_averaging(ema_momentum, ema_overwrite_frequency, gradient_accumulation_steps)
        self.use_ema, self.ema_momentum = use_ema, ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self._averages: list[Any] = []
        self._accumulated: list[Any] = []
        self.built = False
        self._variables: list[Any] = []
        self._trainable_variables: list[Any] = []
        self._places: dict[int, int] = {}
        self._no_decay: set[int] = set()
        with name_scope(self.name):
            self._iterations = self._scalar(0, "int64", "iteration")
            self._learning_rate = self._rate(learning_rate)

    def _scalar(self, value: Any, dtype: str, name: str) -> KerasVariable:
        variable = KerasVariable(
            np.asarray(value, dtype), dtype=dtype, trainable=False, autocast=False, name=name
        )
        self._variables.append(variable)
        return variable

    def _rate(self, value: Any) -> Any:
        if isinstance(value, LearningRateSchedule):
            return value
        if callable(value) and not isinstance(value, KerasVariable):
            return value
        return self._scalar(np.float32(value), "float32", "learning_rate")

    # state

    @property
    def variables(self) -> list[Any]:
        """The step counter, the learning rate, and the slots."""
        return list(self._variables)

    @property
    def iterations(self) -> Any:
        """How many steps there were; batches that were only added up are none."""
        if self.gradient_accumulation_steps:
            return self._iterations // self.gradient_accumulation_steps
        return self._iterations

    @property
    def learning_rate(self) -> Any:
        """The rate in force: a variable, or a tensor where a schedule gives it."""
        if isinstance(self._learning_rate, LearningRateSchedule):
            return self._learning_rate(convert(self.iterations))
        rate = self._learning_rate
        return rate if isinstance(rate, KerasVariable) else rate()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, LearningRateSchedule) or not isinstance(
            self._learning_rate, KerasVariable
        ):
            if not isinstance(value, LearningRateSchedule):
                raise TypeError(
                    "This optimizer was created with a `LearningRateSchedule` object as its "
                    "`learning_rate` constructor argument, hence its learning rate is not "
                    "settable. If you need the learning rate to be settable, you should "
                    "instantiate the optimizer with a float `learning_rate` argument."
                )
            self._variables = [v for v in self._variables if v is not self._learning_rate]
            self._learning_rate = value
            return
        self._learning_rate.assign(cast(convert(value), float32))

    lr = learning_rate

    def build(self, variables: Any) -> None:
        """Make the slots for the variables to be trained."""
        self._trainable_variables = list(variables)
        self._places = {id(v): i for i, v in enumerate(self._trainable_variables)}
        if self.use_ema:
            (self._averages,) = self.add_slots(self._trainable_variables, "average")
        if self.gradient_accumulation_steps:
            name = "gradient_accumulator"
            (self._accumulated,) = self.add_slots(self._trainable_variables, name)
        self.built = True

    def add_variable_from_reference(
        self, reference_variable: Any, name: str | None = None, initializer: Any = "zeros"
    ) -> KerasVariable:
        """A slot of the shape and dtype of a variable."""
        return self._slot(reference_variable, tuple(reference_variable.shape), name, initializer)

    def _slot(
        self, variable: Any, shape: tuple[int, ...], name: str | None, initializer: Any = "zeros"
    ) -> KerasVariable:
        path = getattr(variable, "path", variable.name)
        with name_scope(self.name):
            slot = KerasVariable(
                initializers.get(initializer),
                shape=shape,
                dtype=variable.dtype,
                trainable=False,
                autocast=False,
                name=f"{path.replace('/', '_').replace(':', '_')}_{name or 'slot'}",
            )
        self._variables.append(slot)
        return slot

    def add_slots(self, variables: Any, *names: str, initializer: Any = "zeros") -> list[list[Any]]:
        """For each name a list of slots, one a variable; made variable by variable."""
        lists: list[list[Any]] = [[] for _ in names]
        for variable in variables:
            for slots, name in zip(lists, names, strict=True):
                slots.append(self.add_variable_from_reference(variable, name, initializer))
        return lists

    def index_of(self, variable: Any) -> int:
        """The place of a variable's slots in the lists that `build` made."""
        return self._places[id(variable)]

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Variables, or those whose name holds one of `var_names`, are not decayed."""
        named = [v for v in self._trainable_variables for n in var_names or () if n in v.name]
        self._no_decay |= {id(v) for v in (*(var_list or ()), *named)}

    # a step

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one variable by its gradient."""
        raise NotImplementedError(f"{type(self).__name__} does not override update_step")

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Any]], **_: Any) -> Any:
        """One step by (gradient, variable) pairs; the number of steps so far."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [v for _, v in pairs])
        return self.iterations

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """One step by gradients, in the order of the variables (those of `build` without any)."""
        given = self._trainable_variables if trainable_variables is None else trainable_variables
        variables = list(given)
        if not self.built:
            self.build(variables)
        self._check_known(variables)
        pairs = _existing(list(grads), variables)
        known = [variable for _, variable in pairs]
        gradients = [self._unscaled(self._whole(g)) for g, _ in pairs]
        if self.gradient_accumulation_steps:
            self._accumulate(gradients, known)
        else:
            self._step(gradients, known)
        self._iterations.assign_add(1)

    def _step(self, gradients: list[Any], variables: list[Any]) -> None:
        """Clip, decay, update, average, constrain."""
        rate = convert(self.learning_rate)
        gradients = self._clipped(gradients)
        self._decay(variables, rate)
        self.begin_step()
        for gradient, variable in zip(gradients, variables, strict=True):
            kind = variable.dtype
            self.update_step(gradient, variable, rate if rate.dtype is kind else cast(rate, kind))
        if self.use_ema:
            self._average(variables)
        for variable in variables:
            if getattr(variable, "constraint", None) is not None:
                variable.assign(variable.constraint(variable))

    def begin_step(self) -> None:
        """What a subclass does once a step, before its `update_step` of each variable."""

    def _accumulate(self, gradients: list[Any], variables: list[Any]) -> None:
        """A step by the mean of the gradients of several batches, at the last of them."""
        steps = self.gradient_accumulation_steps
        sums = [self._accumulated[self.index_of(v)] for v in variables]
        for total, gradient in zip(sums, gradients, strict=True):
            total.assign_add(gradient)

        def step() -> None:
            self._step([total / steps for total in sums], variables)
            for total in sums:
                total.assign(total * 0)

        cond(equal((self._iterations + 1) % steps, 0), step, lambda: None)

    def _average(self, variables: list[Any]) -> None:
        """Move the averages towards the variables; the first step makes them equal."""
        first = cast(equal(convert(self.iterations), 0), float32)
        for variable in variables:
            average = self._averages[self.index_of(variable)]
            kept = cast(self.ema_momentum * (1 - first), variable.dtype)
            average.assign(average * kept + variable * (1 - kept))
            if self.ema_overwrite_frequency:
                now = equal((self.iterations + 1) % self.ema_overwrite_frequency, 0)
                variable.assign(where(now, average, variable))

    def finalize_variable_values(self, var_list: Any) -> None:
        """At the end of training, give the variables their averages, if there are any."""
        if self.use_ema:
            for variable in var_list:
                variable.assign(self._averages[self.index_of(variable)])

    def scale_loss(self, loss: Any) -> Any:
        """The loss to take gradients of, which `apply` divides by `loss_scale_factor` again."""
        return loss * self.loss_scale_factor if self.loss_scale_factor else loss

    def _unscaled(self, gradient: Any) -> Any:
        if not self.loss_scale_factor:
            return gradient
        return convert(gradient) / self.loss_scale_factor

    def minimize(self, loss: Any, var_list: Any, tape: Any = None) -> Any:
        """Make `loss`, a function or a tensor recorded by `tape`, smaller by one step."""
        variables = var_list() if callable(var_list) else var_list
        if callable(loss):
            tape = GradientTape()
            with tape:
                loss = loss()
        elif tape is None:
            raise ValueError("`tape` is required when a Tensor loss is passed.")
        gradients = tape.gradient(loss, list(variables))
        return self.apply_gradients(zip(gradients, variables, strict=True))

    def _check_known(self, variables: list[Any]) -> None:
        unknown = [v.name for v in variables if id(v) not in self._places]
        if unknown:
            raise ValueError(
                f"Unknown variable: {unknown[0]}. This optimizer can only be called for the "
                "variables it was originally built with. When working with a new set of "
                "variables, you should recreate a new optimizer instance."
            )

    def _whole(self, gradient: Any) -> Any:
        rows = isinstance(gradient, IndexedSlices)
        changed = self.clipnorm or self.clipvalue or self.global_clipnorm or self.loss_scale_factor
        whole = changed or self.gradient_accumulation_steps
        return gradient if rows and self.takes_rows and not whole else convert(gradient)

    def _clipped(self, gradients: list[Any]) -> list[Any]:
        if self.clipnorm:
            return [clip_by_norm(g, self.clipnorm) for g in gradients]
        if self.global_clipnorm:
            clipped: list[Any] = clip_by_global_norm(gradients, self.global_clipnorm)[0]
            return clipped
        if self.clipvalue:
            return [clip_by_value(g, -self.clipvalue, self.clipvalue) for g in gradients]
        return gradients

    def _decay(self, variables: list[Any], rate: Any) -> None:
        if not self.weight_decay:
            return
        for variable in variables:
            if id(variable) not in self._no_decay:
                factor = cast(rate, variable.dtype) * self.weight_decay
                variable.assign_sub(variable * factor)

    # configuration

    def get_config(self) -> dict[str, Any]:
        """The arguments the optimizer can be made again with."""
        rate: Any = self._learning_rate
        if isinstance(rate, KerasVariable):
            rate = float(rate.numpy())
        return {
            "name": self.name,
            "learning_rate": serialize_keras_object(rate),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        given = dict(config)
        if isinstance(given.get("learning_rate"), dict):
            given["learning_rate"] = deserialize(given["learning_rate"], custom_objects)
        return cls(**given)

    def get_weights(self) -> list[Any]:
        return [v.numpy() for v in self._variables]

    def set_weights(self, weights: Any) -> None:
        """Set `variables` from arrays."""
        for variable, value in zip(self._variables, weights, strict=True):
            variable.assign(np.asarray(value, variable.dtype.numpy))

    def save_own_variables(self, store: Any) -> None:
        """Put the variables into `store`, by their number."""
        for number, variable in enumerate(self._variables):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take the variables from `store`; a warning, and nothing, if there are more or fewer."""
        if len(store.keys()) != len(self._variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has "
                f"{len(self._variables)} variables whereas the saved optimizer has "
                f"{len(store.keys())} variables.",
                stacklevel=2,
            )
            return
        for number, variable in enumerate(self._variables):
            variable.assign(np.asarray(store[str(number)], variable.dtype.numpy))


def _check_clipping(*norms: float | None) -> None:
    given = [n for n in norms if n is not None]
    if len(given) > 1:
        raise ValueError(
            "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. "
            f"Received: clipnorm={norms[0]}, clipvalue={norms[1]}, global_clipnorm={norms[2]}"
        )
    if given and given[0] <= 0:
        raise ValueError(f"Clipping needs a positive number. Received: {given[0]}")


def _check_averaging(momentum: float, frequency: Any, steps: Any) -> None:
    if not 0 <= momentum <= 1:
        raise ValueError(
            f"`ema_momentum` must be in the range [0, 1]. Received: ema_momentum={momentum}"
        )
    if frequency is not None and (not isinstance(frequency, int) or frequency < 1):
        raise ValueError(
            "`ema_overwrite_frequency` must be an integer >= 1 or None. "
            f"Received: ema_overwrite_frequency={frequency}"
        )
    if steps is not None and (not isinstance(steps, int) or steps < 2):
        raise ValueError(
            "`gradient_accumulation_steps` must be an integer >= 2. "
            f"Received: gradient_accumulation_steps={steps}"
        )


def _existing(grads: list[Any], variables: list[Any]) -> list[tuple[Any, Any]]:
    """The pairs whose gradient exists. ValueError if none does, a warning if some do not."""
    pairs = [(g, v) for g, v in zip(grads, variables, strict=True) if g is not None]
    missing = [v.name for g, v in zip(grads, variables, strict=True) if g is None]
    if not pairs:
        raise ValueError("No gradients provided for any variable.")
    if missing:
        warnings.warn(
            f"Gradients do not exist for variables {missing} when minimizing the loss. If using "
            "`model.compile()`, did you forget to provide a `loss` argument?",
            stacklevel=4,
        )
    return pairs
