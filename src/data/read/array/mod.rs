//! Images in a `.npy` file of NumPy: `[N, H, W]`, `[N, H, W, C]`, `[N, C, H, W]`, or `[N, H·W·C]` where
//! the size is known; booleans, integers or floats of any width, in C or Fortran order.
//!
//! Brightness is a number from 0 to 1 or a whole number from 0 to 255. Numbers that are all 0 or 1 are
//! black and white. Where some are below 0, all are kept as they are, as floats. The file is read a piece at a time: first for the range of its numbers, then for its
//! images.

mod contents;
#[cfg(feature = "cli")]
mod file;
mod form;
mod levels;

#[cfg(feature = "cli")]
pub use contents::labels;
pub use contents::{Take, images};
#[cfg(feature = "cli")]
pub use file::read;
