//! A parser per format. All files are treated as hostile.

#[cfg(feature = "cli")]
pub mod array;
#[cfg(feature = "cli")]
pub mod cifar;
#[cfg(feature = "cli")]
pub mod folder;
pub mod gzip;
#[cfg(feature = "cli")]
pub mod idx;
#[cfg(feature = "cli")]
pub mod labels;
#[cfg(feature = "cli")]
pub mod npz;
pub mod packed;
#[cfg(feature = "cli")]
pub mod pixels;
