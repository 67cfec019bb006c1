//! What to measure.

use crate::model::Model;

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The model that is trained.
    pub model: Model,
    /// Images of a step.
    pub batch: usize,
    /// Steps of a repeat; as many as take about a second if none.
    pub steps: Option<usize>,
    /// Repeats, of which the middle one counts.
    pub repeats: usize,
    /// Time each kernel as well.
    pub profile: bool,
    /// Further batch sizes.
    pub sweep: Vec<usize>,
}
