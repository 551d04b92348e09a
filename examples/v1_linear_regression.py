"""Linear regression by placeholders, a loss and an optimizer's `minimize` (TensorFlow 1)."""

import numpy as np

import slipstream.v1 as tf

rng = np.random.default_rng(0)
inputs = rng.uniform(-1.0, 1.0, size=(200, 1)).astype(np.float32)
targets = 3.0 * inputs + 2.0 + rng.normal(0.0, 0.01, size=(200, 1)).astype(np.float32)

x = tf.placeholder(tf.float32, [None, 1], name="x")
y = tf.placeholder(tf.float32, [None, 1], name="y")
slope = tf.Variable(tf.zeros([1, 1]), name="slope")
intercept = tf.Variable(tf.zeros([1]), name="intercept")
prediction = tf.matmul(x, slope) + intercept
loss = tf.reduce_mean(tf.square(prediction - y))
train = tf.train.GradientDescentOptimizer(learning_rate=0.1).minimize(loss)

with tf.Session() as session:
    session.run(tf.global_variables_initializer())
    for step in range(400):
        _, now = session.run([train, loss], feed_dict={x: inputs, y: targets})
        if step % 100 == 0:
            print(f"step {step}: loss {now:.5f}")
    found = session.run([slope, intercept])

print(f"y = {found[0].item():.3f} x + {found[1].item():.3f}")
