//! The result of many comparisons.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

pub use cvae_gpu::check::Limit;
use cvae_gpu::check::Row;
use cvae_gpu::check::compare::compare;

/// Whether the first value beyond its limit fails the test, for tests that ask only whether there is one.
pub static FIRST_FAILS: AtomicBool = AtomicBool::new(false);

/// All comparisons of a test. It fails only in `finish`, so that one fault does not hide others.
#[derive(Default)]
pub struct Report {
    rows: Vec<(String, Row)>,
}

impl Report {
    /// Adds a comparison of a case.
    pub fn add(&mut self, case: &str, row: Row) {
        let row = (case.to_owned(), row);
        assert!(row.1.ok() || !FIRST_FAILS.load(Relaxed), "{}", line(&row));
        self.rows.push(row);
    }

    /// Compares a slot.
    pub fn floats(&mut self, case: &str, slot: &str, device: &[f64], twin: &[f64], limit: Limit) {
        self.add(case, compare(slot, &[device.len()], device, twin, limit));
    }

    /// Compares an integer slot for equality.
    pub fn words(&mut self, case: &str, slot: &str, device: &[u32], twin: &[u32]) {
        let floats = |words: &[u32]| words.iter().map(|&w| f64::from(w)).collect::<Vec<_>>();
        self.floats(case, slot, &floats(device), &floats(twin), Limit::Exact);
    }

    /// Fails if a value is beyond its limit, or if fewer than `least` tensors were compared.
    pub fn finish(mut self, least: usize) {
        let compared = self.rows.len();
        self.rows
            .sort_by(|(_, a), (_, b)| b.share.total_cmp(&a.share));
        println!("{compared} tensors; the nearest to their limits:");
        self.rows
            .iter()
            .take(5)
            .for_each(|r| println!("  {}", line(r)));
        let bad: Vec<_> = self
            .rows
            .iter()
            .filter(|(_, row)| !row.ok())
            .map(line)
            .collect();
        assert!(
            bad.is_empty(),
            "{} of {compared} tensors are off on {}:\n{}",
            bad.len(),
            super::adapter_name(),
            bad.join("\n")
        );
        assert!(compared >= least, "compared only {compared} tensors");
    }
}

fn line((case, row): &(String, Row)) -> String {
    let step = row.by.as_ref().map_or("", |by| &by.step);
    format!(
        "{case}, {step} `{}`{:?}: {:.9e} where {:.9e} is right, {} {:.2e} with {:.0e} allowed \
         (share {:.2})",
        row.tensor,
        row.worst,
        row.computed,
        row.expected,
        row.measure,
        row.found,
        row.limit,
        row.share
    )
}
