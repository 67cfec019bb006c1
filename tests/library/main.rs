//! The library through its public interface, room by room.

mod explore;
mod model;
mod render;
mod rng;
mod run;
mod saved;
mod train;
