//! Files: atomic writes, bounded reads, reads by position, tensors and arrays.

#[cfg(feature = "cli")]
pub mod atomic;
#[cfg(feature = "cli")]
pub mod cache;
#[cfg(feature = "cli")]
pub mod extent;
pub mod hash;
#[cfg(feature = "cli")]
pub(crate) mod metered;
pub mod npy;
#[cfg(feature = "cli")]
pub mod regular;
pub mod tensors;
