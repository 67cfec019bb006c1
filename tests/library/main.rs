//! The library through its public interface, room by room.

mod data;
mod files;
mod ops;
mod plan;
#[path = "../common/sets.rs"]
mod sets;
