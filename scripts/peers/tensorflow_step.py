"""TensorFlow: the tutorial's train step, as it is written there.

`step` calls it with batches that are tensors already, `loop` takes them from the tutorial's
tf.data pipeline, as its training loop does.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import peer
import tensorflow as tf

BATCH = peer.BATCH
# Full float32, as in all peers.
tf.config.experimental.enable_tensor_float_32_execution(False)
layers = tf.keras.layers

encoder = tf.keras.Sequential([
    layers.InputLayer(shape=(peer.SIDE, peer.SIDE, 1)),
    layers.Conv2D(32, 3, strides=(2, 2), activation="relu"),
    layers.Conv2D(64, 3, strides=(2, 2), activation="relu"),
    layers.Flatten(),
    layers.Dense(2 * peer.LATENT),
])
decoder = tf.keras.Sequential([
    layers.InputLayer(shape=(peer.LATENT,)),
    layers.Dense(7 * 7 * 32, activation="relu"),
    layers.Reshape((7, 7, 32)),
    layers.Conv2DTranspose(64, 3, strides=2, padding="same", activation="relu"),
    layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu"),
    layers.Conv2DTranspose(1, 3, strides=1, padding="same"),
])
variables = encoder.trainable_variables + decoder.trainable_variables
optimizer = tf.keras.optimizers.Adam(peer.RATE)
optimizer.build(variables)


def log_normal_pdf(sample, mean, logvar):
    log2pi = tf.math.log(2.0 * np.pi)
    return tf.reduce_sum(-0.5 * ((sample - mean) ** 2.0 * tf.exp(-logvar) + logvar + log2pi), axis=1)


@tf.function
def train_step(x):
    with tf.GradientTape() as tape:
        mean, logvar = tf.split(encoder(x), num_or_size_splits=2, axis=1)
        z = tf.random.normal(shape=mean.shape) * tf.exp(logvar * 0.5) + mean
        cross_ent = tf.nn.sigmoid_cross_entropy_with_logits(logits=decoder(z), labels=x)
        logpx_z = -tf.reduce_sum(cross_ent, axis=[1, 2, 3])
        logpz = log_normal_pdf(z, 0.0, 0.0)
        loss = -tf.reduce_mean(logpx_z + logpz - log_normal_pdf(z, mean, logvar))
    gradients = tape.gradient(loss, variables)
    optimizer.apply_gradients(zip(gradients, variables))


shape = (max(peer.IMAGES, 2 * BATCH), peer.SIDE, peer.SIDE, 1)
images = (np.random.default_rng(0).random(shape) < 0.13).astype(np.float32)
few = min(16, len(images) // BATCH)
batches = [tf.constant(images[i * BATCH:][:BATCH]) for i in range(few)]
pipeline = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images))
pipeline = iter(pipeline.batch(BATCH, drop_remainder=True).repeat())


def wait():
    variables[0].numpy()


def step(steps):
    for i in range(steps):
        train_step(batches[i % few])
    wait()


def loop(steps):
    for _ in range(steps):
        train_step(next(pipeline))
    wait()


gpus = tf.config.list_physical_devices("GPU")
if gpus:
    device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
else:
    device = f"CPU, {peer.processors()} processors"
peer.serve("TensorFlow", tf.__version__, device, {"step": step, "loop": loop})
