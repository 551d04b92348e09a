"""From a graph to the kernels that compute it: expansion, fusion, places in memory."""
