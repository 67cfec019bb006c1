"""JAX: the same model, loss and Adam.

`jit` calls a compiled step repeatedly, with batches on the device. `scan` runs all steps of a repeat
in one compiled call and gathers the batches there. On a GPU each has a second variant with products in
TF32, which has a mantissa of 10 bits instead of 23.
"""

import math

import jax
import numpy as np
import peer
from jax import lax
from jax import numpy as jnp

BATCH = peer.BATCH
# Full float32, as in all peers.
jax.config.update("jax_default_matmul_precision", "highest")
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-7
LOG2PI = math.log(2 * math.pi)
FORWARD, TRANSPOSED = ("NHWC", "HWIO", "NHWC"), ("NHWC", "HWOI", "NHWC")
SHAPES = {
    "conv1": (3, 3, 1, 32), "conv2": (3, 3, 32, 64), "encode": (6 * 6 * 64, 2 * peer.LATENT),
    "decode": (peer.LATENT, 7 * 7 * 32), "deconv1": (3, 3, 64, 32), "deconv2": (3, 3, 32, 64),
    "deconv3": (3, 3, 1, 32),
}


def initial():
    params = {}
    for name, key in zip(SHAPES, jax.random.split(jax.random.PRNGKey(0), len(SHAPES))):
        shape = SHAPES[name]
        limit = math.sqrt(6 / (math.prod(shape[:-2]) * (shape[-1] + shape[-2])))
        kernel = jax.random.uniform(key, shape, jnp.float32, -limit, limit)
        outputs = shape[-2] if "deconv" in name else shape[-1]
        params[name] = kernel, jnp.zeros(outputs, jnp.float32)
    return params


def conv(params, x):
    kernel, bias = params
    y = lax.conv_general_dilated(x, kernel, (2, 2), "VALID", dimension_numbers=FORWARD)
    return jax.nn.relu(y + bias)


def deconv(params, x, stride):
    kernel, bias = params
    padding = [(2, 1), (2, 1)] if stride == 2 else [(1, 1), (1, 1)]
    return bias + lax.conv_general_dilated(
        x, kernel[::-1, ::-1], (1, 1), padding, lhs_dilation=(stride, stride), dimension_numbers=TRANSPOSED)


def log_normal_pdf(sample, mean, logvar):
    return (-0.5 * ((sample - mean) ** 2 * jnp.exp(-logvar) + logvar + LOG2PI)).sum(1)


def loss(params, x, eps):
    h = conv(params["conv2"], conv(params["conv1"], x)).reshape(len(x), -1)
    mean, logvar = jnp.split(h @ params["encode"][0] + params["encode"][1], 2, axis=1)
    z = eps * jnp.exp(0.5 * logvar) + mean
    h = jax.nn.relu(z @ params["decode"][0] + params["decode"][1]).reshape(-1, 7, 7, 32)
    h = jax.nn.relu(deconv(params["deconv1"], h, 2))
    h = jax.nn.relu(deconv(params["deconv2"], h, 2))
    logits = deconv(params["deconv3"], h, 1)
    cross_ent = jnp.maximum(logits, 0) - logits * x + jnp.log1p(jnp.exp(-jnp.abs(logits)))
    logpz = log_normal_pdf(z, 0.0, 0.0)
    return -(-cross_ent.sum((1, 2, 3)) + logpz - log_normal_pdf(z, mean, logvar)).mean()


def update(state, x):
    params, m, v, step, key = state
    key, now = jax.random.split(key)
    gradients = jax.grad(loss)(params, x.astype(jnp.float32), jax.random.normal(now, (BATCH, peer.LATENT)))
    step += 1
    t = step.astype(jnp.float32)
    rate = peer.RATE * jnp.sqrt(-jnp.expm1(t * math.log(BETA2))) / -jnp.expm1(t * math.log(BETA1))
    each = jax.tree_util.tree_map
    m = each(lambda m, g: m + (g - m) * (1 - BETA1), m, gradients)
    v = each(lambda v, g: v + (g * g - v) * (1 - BETA2), v, gradients)
    params = each(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + EPSILON), params, m, v)
    return params, m, v, step, key


def fresh():
    params = initial()
    zeros = jax.tree_util.tree_map(jnp.zeros_like, params)
    return params, zeros, zeros, jnp.int32(0), jax.random.PRNGKey(1)


count = max(peer.IMAGES, 2 * BATCH)
random = np.random.default_rng(0)
images = jnp.asarray((random.random((count, peer.SIDE, peer.SIDE, 1)) < 0.13).astype(np.uint8))
batches = [images[i * BATCH:][:BATCH] for i in range(min(16, count // BATCH))]


@jax.jit
def scanned(state, rows):
    return lax.scan(lambda state, rows: (update(state, images[rows]), None), state, rows)[0]


one = jax.jit(update)
states = {"jit": fresh(), "scan": fresh()}
rows = jnp.asarray(random.integers(0, count, (peer.STEPS, BATCH)))


def jit(steps):
    for i in range(steps):
        states["jit"] = one(states["jit"], batches[i % len(batches)])
    jax.block_until_ready(states["jit"])


def scan(steps):
    states["scan"] = scanned(states["scan"], rows[:steps])
    jax.block_until_ready(states["scan"])


def tf32(run):
    def inner(steps):
        with jax.default_matmul_precision("tensorfloat32"):
            run(steps)

    return inner


device = jax.devices()[0]
on_cpu = device.platform == "cpu"
name = f"CPU, {peer.processors()} processors" if on_cpu else device.device_kind
variants = {"jit": jit, "scan": scan}
if not on_cpu:
    variants |= {f"{variant}, TF32": tf32(run) for variant, run in variants.items()}
peer.serve("JAX", jax.__version__, name, variants)
