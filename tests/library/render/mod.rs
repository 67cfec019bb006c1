//! Grids, manifolds, plots, PNG and GIF, pixel by pixel.

mod images;
mod plots;
