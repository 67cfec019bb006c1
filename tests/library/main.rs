//! The library through its public interface, room by room.

mod check;
mod gpu;
