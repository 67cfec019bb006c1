//! What only some systems and their software drivers need, behind one function each.

mod ahead;
mod alias;
mod pin;

pub use ahead::Ahead;
pub(super) use alias::{Pair, pair};
pub(super) use pin::keep_apart;
