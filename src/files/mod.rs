//! Files: atomic writes, bounded reads, tensors and arrays.

pub mod atomic;
pub mod hash;
pub mod npy;
pub mod regular;
pub mod tensors;
