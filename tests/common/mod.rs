//! Shared test code: devices, comparisons, small training runs.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod case;
pub mod dense;
pub mod device;
pub mod mutants;
pub mod pair;
pub mod report;
pub mod suite;
pub mod training;

use std::io::Write;

use cvae_gpu::ops;
use cvae_gpu::plan::Source;

#[allow(unused_imports, reason = "each test file uses its own part")]
pub use device::{checked_gpu, gpu, name, naming_gpu, plain_gpu, selection};

/// Names of the adapter and its driver, for failure messages.
pub fn adapter_name() -> String {
    name(gpu())
}

/// `count` uniform numbers in (-limit, limit), the same on every machine for the same `seed`.
pub fn uniform(count: usize, limit: f64, seed: u64) -> Vec<f32> {
    cvae_gpu::rng::uniform(count, limit, 0, cvae_gpu::rng::key(seed))
}

/// Reports what a test left out, even if the test passes.
#[allow(
    clippy::disallowed_methods,
    reason = "it says nothing that comes from a file"
)]
pub fn say(text: &str) {
    let mut out = std::io::stderr().lock();
    // A closed stream has no reader.
    let _ = writeln!(out, "note: {text}");
}

/// Module and entry point of every kernel.
pub fn entry_points() -> Vec<(&'static str, &'static str)> {
    let of = |source: &'static Source| {
        let entries = source.entry_points().expect("a sound shader").into_iter();
        entries.map(|entry| (source.name, entry))
    };
    ops::sources().into_iter().flat_map(of).collect()
}
