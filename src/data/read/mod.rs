//! A parser per format. All files are treated as hostile.

pub mod array;
#[cfg(feature = "cli")]
pub mod cifar;
#[cfg(feature = "cli")]
pub mod folder;
pub mod gzip;
pub mod idx;
#[cfg(feature = "cli")]
pub mod labels;
#[cfg(feature = "cli")]
pub mod npz;
pub mod packed;
pub mod pixels;
#[cfg(feature = "cli")]
mod tape;
