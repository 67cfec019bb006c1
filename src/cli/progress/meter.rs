//! The progress of a job: a bar on a terminal, else a line every few seconds. Short jobs show
//! neither.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::cli::terminal;

/// Time after which progress is shown.
const PATIENCE: Duration = Duration::from_millis(500);
/// Time between two lines where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// The progress of one job.
pub struct Meter {
    what: &'static str,
    quiet: bool,
    has_bar: bool,
    start: Instant,
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl Meter {
    /// Shows the job `what`; nothing if `quiet`.
    pub fn new(what: &'static str, quiet: bool) -> Self {
        Meter {
            what,
            quiet,
            has_bar: super::has_bars(quiet),
            start: Instant::now(),
            last_line: Instant::now(),
            bar: None,
        }
    }

    /// Shows that `done` items of `of` are done.
    pub fn show(&mut self, done: usize, of: usize) {
        if done >= of {
            self.bar = None;
            return;
        }
        let elapsed = self.start.elapsed();
        if self.quiet || elapsed < PATIENCE {
            return;
        }
        let what = self.what;
        if self.has_bar {
            let template = "{prefix} {bar:30} {pos}/{len}, {eta} to go";
            let new = || super::bar(what.to_owned(), of, template);
            self.bar.get_or_insert_with(new).set_position(done as u64);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let left = elapsed.as_secs_f64() * (of - done) as f64 / done.max(1) as f64;
            terminal::say(&format!("{what}: {done}/{of}, {left:.0} s to go"));
        }
    }
}
