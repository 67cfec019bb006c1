//! Plans.

mod batches;
mod check;
