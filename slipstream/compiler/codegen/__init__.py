"""Code for the kernels of a program, by way of LLVM."""
