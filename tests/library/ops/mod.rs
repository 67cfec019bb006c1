//! Operations and how they are lowered.

mod convolution;
mod fusion;
mod state;
mod tuning;
mod variants;
