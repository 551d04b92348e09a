"""The workloads' programs, one module a way of writing them."""
