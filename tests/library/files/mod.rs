//! `cvae_gpu::files`

mod atomic;
mod npy;
mod regular;
mod tensors;
