//! What runs now, on standard error, where that is a terminal.

use std::io::{self, IsTerminal};

use indicatif::ProgressBar;

/// A line that comes and goes.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// No line at all if `quiet`, without a terminal, or where `NO_COLOR` asks for plain text.
    pub fn new(quiet: bool) -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        let shown = !quiet && colour && io::stderr().is_terminal();
        Progress(shown.then(ProgressBar::new_spinner))
    }

    /// Says what runs now.
    pub fn show(&self, what: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(format!("{what} …"));
            bar.tick();
        }
    }

    /// Takes the line away.
    pub fn end(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
