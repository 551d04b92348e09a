"""`tf.linalg`: products, solutions, decompositions, diagonals."""

from slipstream.ops.array import (
    eye,
)
from slipstream.ops.diagonal import (
    band_part,
    diag,
    diag_part,
    set_diag,
    tensor_diag,
    tensor_diag_part,
    trace,
)
from slipstream.ops.equation import (
    einsum,
)
from slipstream.ops.linalg import (
    cholesky,
    cholesky_solve,
    cross,
    det,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    expm,
    inv,
    logdet,
    logm,
    lstsq,
    matrix_rank,
    norm,
    normalize,
    pinv,
    qr,
    slogdet,
    solve,
    sqrtm,
    svd,
    triangular_solve,
)
from slipstream.ops.linear import (
    matmul,
    matvec,
    tensordot,
)
from slipstream.ops.normalization import (
    global_norm,
    l2_normalize,
)
from slipstream.ops.shaping import matrix_adjoint as adjoint
from slipstream.ops.shaping import (
    matrix_transpose,
)

__all__ = [name for name in dir() if not name.startswith("_")]
