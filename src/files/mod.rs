//! Files: written whole or not at all, read within their size; tensors and arrays.

pub mod atomic;
pub mod hash;
pub mod npy;
pub mod regular;
pub mod tensors;
