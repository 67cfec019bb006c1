//! Code for native programs only: threads, blocking waits, and optimizations for software drivers.
//! Without the feature `cli`, each function has a plain replacement.

#[cfg(feature = "cli")]
mod ahead;
#[cfg(feature = "cli")]
mod alias;
mod parallel;
#[cfg(feature = "cli")]
mod pin;
#[cfg(not(feature = "cli"))]
mod plain;

#[cfg(feature = "cli")]
pub use ahead::Ahead;
#[cfg(feature = "cli")]
pub(super) use alias::{Pair, pair};
pub(super) use parallel::{map, wait};
#[cfg(feature = "cli")]
pub(super) use pin::keep_apart;
#[cfg(not(feature = "cli"))]
pub use plain::Ahead;
#[cfg(not(feature = "cli"))]
pub(super) use plain::{Pair, keep_apart, pair};
