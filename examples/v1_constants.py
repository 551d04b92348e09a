"""A graph of two constants, multiplied in a session (TensorFlow 1)."""

import slipstream.v1 as tf

a = tf.constant(6.0)
b = tf.constant(7.0)
c = a * b
print(c)  # a tensor of the graph: it has no value yet

with tf.Session() as session:
    result = session.run(c)
    print(result)
    print(c.eval())
