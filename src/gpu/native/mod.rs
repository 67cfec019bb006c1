//! Code for native programs only: threads, blocking waits, and optimizations for software drivers.
//! Without the feature `cli`, and on systems other than Linux, functions have plain replacements.

#[cfg(feature = "cli")]
mod ahead;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod alias;
#[cfg(feature = "cli")]
mod parallel;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod pin;
mod plain;

#[cfg(feature = "cli")]
pub use ahead::Ahead;
#[cfg(feature = "cli")]
pub(super) use parallel::{map, wait};
#[cfg(not(feature = "cli"))]
pub use plain::Ahead;
#[cfg(not(all(feature = "cli", target_os = "linux")))]
pub(super) use plain::{keep_apart, pair};
#[cfg(not(feature = "cli"))]
pub(super) use plain::{map, wait};
#[cfg(all(feature = "cli", target_os = "linux"))]
pub(super) use {alias::pair, pin::keep_apart};
