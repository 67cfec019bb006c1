//! Progress for people, on standard error: a spinner, the bar of a job, and the bar of training.

mod training;

pub use training::Progress;

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::common::Common;
use super::terminal;

/// Time after which the progress of a job is shown.
const PATIENCE: Duration = Duration::from_millis(500);
/// Time between two lines of a job where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(15);

impl Common {
    /// True where bars are drawn: on a terminal, unless `--quiet` says otherwise.
    fn has_bars(&self) -> bool {
        !self.talk.quiet && terminal::is_shown()
    }

    /// Shows the current task in a line, which disappears when the result is dropped.
    pub fn spinner(&self) -> impl FnMut(&str) + use<> {
        let spinner = || ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
        let bar = self.has_bars().then(spinner);
        move |task| {
            if let Some(bar) = &bar {
                bar.set_message(format!("{} …", terminal::line(task)));
                bar.tick();
            }
        }
    }

    /// Shows how many items of the job `what` are done: in a bar on a terminal, else in a line every few
    /// seconds. Short jobs show neither.
    pub fn meter(&self, what: &'static str) -> impl FnMut(usize, usize) {
        let (start, has_bar) = (Instant::now(), self.has_bars());
        let (mut last_line, mut shown) = (start, None);
        move |done, of| {
            let elapsed = start.elapsed();
            if done >= of {
                shown = None;
                return;
            }
            if self.talk.quiet || elapsed < PATIENCE {
                return;
            }
            if has_bar {
                let template = "{prefix} {bar:30} {pos}/{len}, {eta} to go";
                let new = || bar(what.to_owned(), of, template);
                shown.get_or_insert_with(new).set_position(done as u64);
            } else if last_line.elapsed() >= LINE_EVERY {
                last_line = Instant::now();
                let left = elapsed.as_secs_f64() * (of - done) as f64 / done.max(1) as f64;
                self.say(&format!("{what}: {done}/{of}, {left:.0} s to go"));
            }
        }
    }
}

/// A bar of `of` items in the style of `template`; it disappears when it is dropped.
fn bar(name: String, of: usize, template: &str) -> ProgressBar {
    // Templates are constants; the plain bar would do if one were wrong.
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(of as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(name)
        .with_finish(ProgressFinish::AndClear)
}
