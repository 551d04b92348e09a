"""The compiler: a graph becomes machine code, and calls to NumPy for what has no code."""
