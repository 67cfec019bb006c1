"""PyTorch: the same model and loss, with its fused Adam.

`eager` is a plain loop; `compile` compiles model and loss; `graph`, on CUDA only, captures the whole
eager step once and replays it. On CUDA each has a second variant with products in TF32, which has a
mantissa of 10 bits instead of 23. The transposed convolutions use PyTorch's own padding, the mirror
image of the tutorial's: the same arithmetic without a copy for the crop.
"""

import math

import peer
import torch
from torch import nn
from torch.nn import functional as F

BATCH = peer.BATCH
CUDA = torch.cuda.is_available()
device = torch.device("cuda" if CUDA else "cpu")
torch.backends.cudnn.benchmark = True
LOG2PI = math.log(2 * math.pi)


def log_normal_pdf(sample, mean, logvar):
    return (-0.5 * ((sample - mean) ** 2 * torch.exp(-logvar) + logvar + LOG2PI)).sum(1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 32, 3, 2), nn.ReLU(), nn.Conv2d(32, 64, 3, 2), nn.ReLU(),
            nn.Flatten(), nn.Linear(6 * 6 * 64, 2 * peer.LATENT))
        double = dict(stride=2, padding=1, output_padding=1)
        self.decoder = nn.Sequential(
            nn.Linear(peer.LATENT, 7 * 7 * 32), nn.ReLU(), nn.Unflatten(1, (32, 7, 7)),
            nn.ConvTranspose2d(32, 64, 3, **double), nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 3, **double), nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 3, padding=1))

    def forward(self, x, eps):
        mean, logvar = self.encoder(x).chunk(2, 1)
        z = eps * torch.exp(0.5 * logvar) + mean
        cross_ent = F.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="none")
        logpx_z = -cross_ent.sum((1, 2, 3))
        logpz = log_normal_pdf(z, torch.zeros_like(z), torch.zeros_like(z))
        return -(logpx_z + logpz - log_normal_pdf(z, mean, logvar)).mean()


count = max(peer.IMAGES, 2 * BATCH)
images = (torch.rand(count, 1, peer.SIDE, peer.SIDE) < 0.13).to(device)


def wait():
    if CUDA:
        torch.cuda.synchronize()


def one_step(compiled):
    """A function that does one optimizer step on a batch gathered from the images."""
    model = Model().to(device)
    more = {"capturable": True} if CUDA else {}
    adam = torch.optim.Adam(model.parameters(), lr=peer.RATE, eps=1e-7, fused=True, **more)
    loss = torch.compile(model) if compiled else model

    def step():
        rows = torch.randint(count, (BATCH,), device=device)
        adam.zero_grad(set_to_none=True)
        loss(images[rows].float(), torch.randn(BATCH, peer.LATENT, device=device)).backward()
        adam.step()

    return step


def looped(make, tf32=False):
    """A variant; `make` gives its step, when the variant warms up. Full float32 unless asked."""
    made = []

    def run(steps):
        torch.backends.cudnn.allow_tf32 = tf32
        torch.backends.cuda.matmul.allow_tf32 = tf32
        if not made:
            made.append(make())
        for _ in range(steps):
            made[0]()
        wait()

    return run


def captured():
    step = one_step(False)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


steps = {"eager": lambda: one_step(False), "compile": lambda: one_step(True)}
if CUDA:
    steps["graph"] = captured
variants = {name: looped(make) for name, make in steps.items()}
if CUDA:
    variants |= {f"{name}, TF32": looped(make, tf32=True) for name, make in steps.items()}
name = torch.cuda.get_device_name() if CUDA else f"CPU, {torch.get_num_threads()} threads"
peer.serve("PyTorch", torch.__version__, name, variants)
