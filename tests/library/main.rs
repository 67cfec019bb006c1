//! The library through its public interface, room by room.

mod check;
mod data;
mod explore;
mod files;
mod gpu;
mod model;
mod ops;
mod plan;
mod render;
mod rng;
mod run;
mod saved;
#[path = "../common/sets.rs"]
mod sets;
mod train;
