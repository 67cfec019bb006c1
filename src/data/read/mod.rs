//! A parser per format. All files are treated as hostile.

pub mod array;
pub mod cifar;
pub mod folder;
pub mod gzip;
pub mod idx;
pub mod packed;
pub mod pixels;
