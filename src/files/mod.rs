//! Files: atomic writes, bounded reads, tensors and arrays.

#[cfg(feature = "cli")]
pub mod atomic;
pub mod hash;
pub mod npy;
#[cfg(feature = "cli")]
pub mod regular;
pub mod tensors;
