//! The library through its public interface, room by room.

mod explore;
mod model;
mod rng;
mod run;
mod saved;
