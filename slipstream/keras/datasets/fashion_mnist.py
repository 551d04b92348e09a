"""Fashion-MNIST: 60,000 and 10,000 grey 28x28 pictures of clothes in ten classes.

Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset", arXiv:1708.07747.
"""

from __future__ import annotations

import numpy as np

from slipstream.data_files import FASHION_MNIST, load_both


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Loads Fashion-MNIST: `(x_train, y_train), (x_test, y_test)`.

    `x_train` and `x_test` are uint8 of shape `(60000, 28, 28)` and `(10000, 28, 28)`, `y_train` and
    `y_test` uint8 labels 0 to 9: T-shirt/top, Trouser, Pullover, Dress, Coat, Sandal, Shirt,
    Sneaker, Bag, Ankle boot. Files are looked for in `$SLIPSTREAM_DATA/fashion-mnist`, then in the
    cache, then downloaded and checked.

    Raises `DataLossError` for a damaged file, `NotFoundError` when `$SLIPSTREAM_DATA` has only part
    of the set, `UnavailableError` when a download is needed and there is no network.
    """
    return load_both(FASHION_MNIST)
