"""Two constants, multiplied at once (TensorFlow 2)."""

import slipstream as tf

a = tf.constant(6.0)
b = tf.constant(7.0)
c = a * b
print(c)
print(c.numpy())
