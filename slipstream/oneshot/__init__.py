"""One-shot classification: show a new class once, recognise it from then on without training."""
