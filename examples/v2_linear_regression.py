"""Linear regression by variables, a tape and an optimizer (TensorFlow 2)."""

import numpy as np

import slipstream as tf

rng = np.random.default_rng(0)
inputs = rng.uniform(-1.0, 1.0, size=(200, 1)).astype(np.float32)
targets = 3.0 * inputs + 2.0 + rng.normal(0.0, 0.01, size=(200, 1)).astype(np.float32)

slope = tf.Variable(tf.zeros([1, 1]), name="slope")
intercept = tf.Variable(tf.zeros([1]), name="intercept")
optimizer = tf.keras.optimizers.SGD(learning_rate=0.1)


@tf.function
def step(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(tf.matmul(x, slope) + intercept - y))
    variables = [slope, intercept]
    optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
    return loss


for number in range(400):
    loss = step(inputs, targets)
    if number % 100 == 0:
        print(f"step {number}: loss {float(loss):.5f}")

print(f"y = {slope.numpy().item():.3f} x + {intercept.numpy().item():.3f}")
