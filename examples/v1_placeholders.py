"""Placeholders take their values from a feed dictionary, of any batch size (TensorFlow 1)."""

import numpy as np

import slipstream.v1 as tf

x = tf.placeholder(tf.float32, shape=[None, 3], name="x")
weights = tf.constant([[1.0], [10.0], [100.0]])
y = tf.matmul(x, weights)
total = tf.reduce_sum(y)

with tf.Session() as session:
    one = session.run(y, feed_dict={x: [[1.0, 2.0, 3.0]]})
    print(one)
    values, summed = session.run([y, total], feed_dict={x: np.eye(3)})
    print(values.ravel(), summed)
    try:
        session.run(y)
    except tf.errors.InvalidArgumentError as error:
        print(error)
