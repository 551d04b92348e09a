"""The modules of the TensorFlow 2 face: `tf.nn`, `tf.linalg`, ... Each gathers functions that `ops`
defines.
"""
