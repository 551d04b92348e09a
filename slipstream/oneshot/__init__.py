"""One-shot classification: show a new class once, recognise it from then on without training.

`slipstream.oneshot.api` has train, evaluate, enroll, identify and report; `sweep` and `demo` have
modules of their own. The command `slipstream oneshot` does the same.
"""
