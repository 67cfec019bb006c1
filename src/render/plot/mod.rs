//! Curves and scatter plots, with axes and labels.

mod axes;
mod curve;
mod font;
mod scatter;
mod shapes;

pub use curve::{Curve, curves};
pub use scatter::{Points, scatter};
