"""`slipstream oneshot ...`: the commands, their options, and what they print."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from slipstream.oneshot import api, sweep
from slipstream.oneshot.accuracy import Trials
from slipstream.oneshot.demo import demo
from slipstream.oneshot.evaluate import new_pictures, prepare
from slipstream.oneshot.gallery import Answer
from slipstream.oneshot.pictures import PictureOptions
from slipstream.oneshot.recipe import LOSSES, Recipe, recipe_for
from slipstream.oneshot.training import Console, clock

DATA_HELP = (
    "fashion-mnist, mnist, omniglot, omniglot-small1, omniglot-small2, digits, letters, "
    "or a folder of class folders"
)
RECIPE_HELP = {
    "loss": f"one of {', '.join(LOSSES)}",
    "epochs": "how often progress is measured and kept",
    "steps": "steps an epoch",
    "ways": "classes in a batch",
    "each": "pictures of each class in a batch",
    "learning_rate": "at the beginning; it falls along half a cosine",
    "channels": "of the convolutions, as 32,64,128",
    "residual": "further convolutions after each, added to what they get",
    "embedding": "numbers in an embedding",
    "margin": "of the contrastive and triplet losses",
    "temperature": "of the prototypical, supervised-contrastive and proxies losses",
    "pairs": "weight of the cross-entropy of all pairs of a batch, beside a batch loss",
    "augmentation": "how far random views go: 0 none, 1 usual",
    "erase": "share of pictures with a rectangle wiped out",
    "thicken": "how much wider strokes may become, 0 to 1",
    "projected": "a dense layer for the loss only; embed with what comes before it",
    "halves": "the upper half of one class over the lower of another is a further class",
    "mirrored": "right and left are the same: views are mirrored at random",
    "gamma": "power that pixels are raised to: below 1, faint parts count more",
    "turns": "classes turned by right angles are further classes",
    "views": "moved copies averaged when embedding",
    "seed": "the same seed gives the same network",
}

Command = Callable[[argparse.Namespace], None]


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Adds train, evaluate, enroll, identify, report, sweep and demo."""
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (
        add_train,
        add_evaluate,
        add_enroll,
        add_identify,
        add_report,
        add_sweep,
        add_demo,
    ):
        add(commands)


def command(commands: Any, name: str, run: Command, text: str) -> argparse.ArgumentParser:
    """A new command with its help."""
    made: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    made.set_defaults(run=run)
    return made


# ---- options -----------------------------------------------------------------------------------


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """An option for each choice of a recipe; what is not given is what suits the data."""
    group = parser.add_argument_group("recipe (defaults suit the data)")
    for one in fields(Recipe):
        option = "--" + one.name.replace("_", "-")
        kind: Any = numbers if one.name == "channels" else type(one.default)
        if kind is bool:
            action = argparse.BooleanOptionalAction
            group.add_argument(option, action=action, default=None, help=RECIPE_HELP[one.name])
        else:
            group.add_argument(option, type=kind, metavar="X", help=RECIPE_HELP[one.name])


def recipe_of(arguments: argparse.Namespace, start: Recipe) -> Recipe:
    """The recipe with what was given on the command line."""
    given = {one.name: getattr(arguments, one.name) for one in fields(Recipe)}
    return replace(start, **{name: value for name, value in given.items() if value is not None})


def numbers(text: str) -> tuple[int, ...]:
    """`32,64` as numbers."""
    return tuple(int(part) for part in text.split(","))


def words(text: str) -> tuple[str, ...]:
    """`trouser,bag` as names, or numbers still in text."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def add_classes(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--classes", type=words, default=(), metavar="A,B", help=text)


def add_trials(parser: argparse.ArgumentParser) -> None:
    """How one-shot accuracy is measured, and on what."""
    parser.add_argument("folder", metavar="DIR", help="a trained model")
    parser.add_argument("--data", help=f"where new classes come from: {DATA_HELP}")
    add_classes(parser, "only these of the new classes")
    parser.add_argument(
        "--keep-trained", action="store_true", help="also classes with a trained name or group"
    )
    parser.add_argument("--ways", type=int, help="classes in a draw (all)")
    parser.add_argument("--shots", type=int, default=1, help="known pictures a class (1)")
    parser.add_argument("--draws", type=int, default=200, help="draws of the known pictures (200)")
    parser.add_argument("--trial-seed", type=int, default=0, help="of the draws (0)")


def trials_of(arguments: argparse.Namespace) -> Trials:
    return Trials(
        arguments.ways, arguments.shots, max(1, arguments.draws), seed=arguments.trial_seed
    )


def add_pictures(parser: argparse.ArgumentParser) -> None:
    """How photos become what the network was trained on."""
    parser.add_argument("pictures", nargs="+", metavar="PICTURE")
    parser.add_argument(
        "--invert",
        choices=("auto", "yes", "no"),
        default="auto",
        help="dark on light becomes light on dark (auto: when the border is light)",
    )
    parser.add_argument(
        "--centre", action="store_true", help="crop to the ink and centre it, as MNIST does"
    )


def options_of(arguments: argparse.Namespace) -> PictureOptions:
    return PictureOptions(arguments.invert, arguments.centre)


# ---- commands ----------------------------------------------------------------------------------


def add_train(commands: Any) -> None:
    made = command(commands, "train", run_train, "train a siamese network")
    made.add_argument("--data", required=True, help=DATA_HELP)
    made.add_argument("--out", required=True, metavar="DIR", help="folder for the model")
    add_classes(made, "train on these only, by name or number")
    add_recipe(made)


def run_train(arguments: argparse.Namespace) -> None:
    recipe = recipe_of(arguments, recipe_for(arguments.data))
    model = api.train(arguments.data, arguments.out, recipe, arguments.classes, Console())
    held_out = model.history["val_accuracy"][-1]
    print(
        f"trained in {clock(model.seconds)} min; {held_out:.1%} of held-out pairs right; "
        f"threshold {model.threshold:.3f}; model in {arguments.out}"
    )


def add_evaluate(commands: Any) -> None:
    text = "measure held-out pairs, and new classes by one example beside three baselines"
    made = command(commands, "evaluate", run_evaluate, text)
    add_trials(made)
    made.add_argument("--quick", action="store_true", help="leave out the classifier baseline")


def run_evaluate(arguments: argparse.Namespace) -> None:
    asked = (arguments.folder, arguments.data, arguments.classes, trials_of(arguments))
    found = api.evaluate(*asked, Console(), arguments.keep_trained, arguments.quick)
    print("\n".join(found.lines()))


def add_enroll(commands: Any) -> None:
    made = command(commands, "enroll", run_enroll, "show a new class by one picture or more")
    made.add_argument("folder", metavar="DIR", help="a trained model")
    made.add_argument("--name", required=True, help="what the class is called")
    made.add_argument("--anew", action="store_true", help="begin a new gallery")
    add_pictures(made)


def run_enroll(arguments: argparse.Namespace) -> None:
    options = options_of(arguments)
    asked = (arguments.folder, arguments.name, arguments.pictures, options, arguments.anew)
    gallery = api.enroll(*asked)
    print(f"enrolled {arguments.name}; the gallery has {len(gallery.classes)} classes")


def add_identify(commands: Any) -> None:
    made = command(commands, "identify", run_identify, "name pictures by the nearest class")
    made.add_argument("folder", metavar="DIR", help="a trained model with a gallery")
    made.add_argument("--count", type=int, default=3, help="nearest classes shown (3)")
    made.add_argument("--threshold", type=float, help="distance beyond which all is unknown")
    add_pictures(made)


def run_identify(arguments: argparse.Namespace) -> None:
    options = options_of(arguments)
    asked = (arguments.folder, arguments.pictures, options, arguments.count, arguments.threshold)
    for path, answer in zip(arguments.pictures, api.identify(*asked), strict=True):
        print(f"{path}: {answer_text(answer)}")


def answer_text(answer: Answer) -> str:
    """The name, and the nearest classes with their distances."""
    nearest = ", ".join(f"{name} {distance:.3f}" for name, distance in answer.nearest)
    return f"{answer.name}  (nearest: {nearest})"


def add_report(commands: Any) -> None:
    add_trials(command(commands, "report", run_report, "evaluate, and write one HTML page"))


def run_report(arguments: argparse.Namespace) -> None:
    asked = (arguments.folder, arguments.data, arguments.classes, trials_of(arguments))
    print(f"the report: {api.report(*asked, Console(), arguments.keep_trained)}")


def add_sweep(commands: Any) -> None:
    made = command(commands, "sweep", run_sweep, "train with one choice changed at a time")
    made.add_argument("--data", required=True, help=DATA_HELP)
    made.add_argument("--out", required=True, metavar="DIR", help="folder for table and plot")
    made.add_argument("--new", help=f"where new classes come from: {DATA_HELP}")
    made.add_argument(
        "--vary",
        action="append",
        default=[],
        type=variation,
        metavar="NAME=A,B",
        help=f"what to vary; may be repeated (default: {', '.join(sweep.STANDARD)})",
    )
    add_classes(made, "train on these only, by name or number")
    add_recipe(made)


def variation(text: str) -> tuple[str, list[Any]]:
    """`embedding=16,64` as a name and its values."""
    name, _, values = text.partition("=")
    name = name.strip().replace("-", "_")
    defaults = {one.name: one.default for one in fields(Recipe)}
    kind = type(defaults.get(name, ""))
    if kind not in (str, int, float) or not values:
        raise argparse.ArgumentTypeError(f"expected NAME=A,B, as embedding=16,64; received {text}")
    return name, [kind(value) for value in words(values)]


def run_sweep(arguments: argparse.Namespace) -> None:
    base = recipe_of(arguments, sweep.shortened(recipe_for(arguments.data)))
    varied = dict(arguments.vary) or sweep.STANDARD
    new = None
    if arguments.new is not None:
        origin = prepare(arguments.data, arguments.classes)[2]
        new = new_pictures(origin, arguments.new)
    asked = (arguments.data, arguments.out, base, varied, arguments.classes, new)
    outcomes = sweep.sweep(*asked, say=Console())
    best_first = sorted(outcomes, key=lambda one: -(one.one_shot or 0.0))
    print("\n".join(map(sweep.line, best_first)))
    print(f"the table and the plots: {Path(arguments.out) / sweep.PAGE}")


def add_demo(commands: Any) -> None:
    text = "train, show ten new classes one picture each, identify the rest, report"
    made = command(commands, "demo", run_demo, text)
    made.add_argument("--out", default="demo", metavar="DIR", help="folder for everything (demo)")


def run_demo(arguments: argparse.Namespace) -> None:
    print(demo(arguments.out, Console()))
