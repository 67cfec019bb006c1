//! What runs now, on standard error, where that is a terminal.

use crate::cli::terminal;
use indicatif::{ProgressBar, ProgressFinish};

/// A line that goes with the value.
pub struct Spinner(Option<ProgressBar>);

impl Spinner {
    /// No line at all if `quiet`, without a terminal, or where `NO_COLOR` asks for plain text.
    pub fn new(quiet: bool) -> Self {
        let spinner = || ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
        Spinner(super::has_bars(quiet).then(spinner))
    }

    /// Says what runs now.
    pub fn show(&self, what: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(format!("{} …", terminal::line(what)));
            bar.tick();
        }
    }
}
