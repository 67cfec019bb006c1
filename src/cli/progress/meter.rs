//! Tells a person how far a job is: a bar on a terminal, now and then a plain line elsewhere.
//! Jobs of a few seconds need neither.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::terminal;

/// A bar appears for what takes longer.
const PATIENCE: Duration = Duration::from_millis(500);
/// Where there is no bar, a line comes at most this often.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// The listener of one job.
pub struct Meter {
    what: &'static str,
    quiet: bool,
    terminal: bool,
    start: Instant,
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl Meter {
    /// For the job of that name; says nothing at all if `quiet`.
    pub fn new(what: &'static str, quiet: bool) -> Self {
        let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Meter {
            what,
            quiet,
            terminal: terminal::is_shown() && colour,
            start: Instant::now(),
            last_line: Instant::now(),
            bar: None,
        }
    }

    /// Shows that `done` items of `of` are done.
    pub fn show(&mut self, done: usize, of: usize) {
        if done >= of {
            if let Some(bar) = self.bar.take() {
                bar.finish_and_clear();
            }
            return;
        }
        let elapsed = self.start.elapsed();
        if self.quiet || elapsed < PATIENCE {
            return;
        }
        if self.terminal {
            let what = self.what;
            let bar = self.bar.get_or_insert_with(|| new_bar(what, of));
            bar.set_position(done as u64);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let left = elapsed.as_secs_f64() * (of - done) as f64 / done.max(1) as f64;
            let what = self.what;
            terminal::say(&format!("{what}: {done}/{of}, {left:.0} s to go"));
        }
    }
}

fn new_bar(what: &'static str, of: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(of as u64), ProgressDrawTarget::stderr());
    // A template fixed at compile time; the plain bar would do if it were wrong.
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len}, {eta} to go");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(what)
}

impl Drop for Meter {
    /// A job that fails leaves no bar behind.
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
