//! The library through its public interface, room by room.

mod data;
mod files;
#[path = "../common/sets.rs"]
mod sets;
