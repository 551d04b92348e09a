"""What placeholders were for: a function traced into one program a signature (TensorFlow 2)."""

import numpy as np

import slipstream as tf

weights = tf.constant([[1.0], [10.0], [100.0]])


@tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32)])
def product(x):
    y = tf.matmul(x, weights)
    return y, tf.reduce_sum(y)


one, _ = product([[1.0, 2.0, 3.0]])
print(one)
values, summed = product(np.eye(3, dtype=np.float32))
print(values.numpy().ravel(), float(summed))
