//! A spinner with the current task.

use crate::cli::terminal;
use indicatif::{ProgressBar, ProgressFinish};

/// A line that disappears when it is dropped.
pub struct Spinner(Option<ProgressBar>);

impl Spinner {
    /// Shows nothing where there are no bars.
    pub fn new(quiet: bool) -> Self {
        let spinner = || ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
        Spinner(super::has_bars(quiet).then(spinner))
    }

    /// Shows the current task.
    pub fn show(&self, what: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(format!("{} …", terminal::line(what)));
            bar.tick();
        }
    }
}
