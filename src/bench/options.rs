//! Options of a benchmark.

use crate::model::Model;

/// Options of a benchmark.
#[derive(Clone, Debug)]
pub struct Options {
    /// The model to train.
    pub model: Model,
    /// Batch size.
    pub batch: usize,
    /// Steps per repeat; `None` means about one second.
    pub steps: Option<usize>,
    /// Repeats; the median counts.
    pub repeats: usize,
    /// Time each kernel too.
    pub profile: bool,
    /// Further batch sizes to measure.
    pub sweep: Vec<usize>,
}
