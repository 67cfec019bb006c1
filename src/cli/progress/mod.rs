//! Progress for people, on standard error: a spinner, the bar of a job, and the bar of training.

mod plain;
mod training;

use plain::Plain;
pub use training::Progress;

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use super::common::{Common, When};
use super::terminal;

/// Time after which the progress of a job is shown.
const PATIENCE: Duration = Duration::from_millis(500);
/// Time between two lines of a job where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(15);

impl Common {
    /// Whether progress is shown at all.
    fn shows_progress(&self) -> bool {
        !self.talk.quiet && self.talk.progress != When::Never
    }

    /// Whether it is shown in bars.
    fn has_bars(&self) -> bool {
        let wanted = self.talk.progress == When::Always || terminal::is_shown();
        self.shows_progress() && wanted
    }

    /// Shows the current task in a line, which disappears when the result is dropped.
    pub fn spinner(&self) -> impl FnMut(&str) + use<> {
        let spinner = || {
            let bar = ProgressBar::with_draw_target(None, target());
            bar.with_style(ProgressStyle::default_spinner())
                .with_finish(ProgressFinish::AndClear)
        };
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
        let is_shown = self.shows_progress();
        let (mut last_line, mut shown) = (start, None);
        move |done, of| {
            let elapsed = start.elapsed();
            if done >= of {
                shown = None;
                return;
            }
            if !is_shown || elapsed < PATIENCE {
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

/// Where bars are drawn: on the terminal, or on what stands in its place.
fn target() -> ProgressDrawTarget {
    if terminal::is_shown() {
        return ProgressDrawTarget::stderr();
    }
    ProgressDrawTarget::term_like_with_hz(Box::new(Plain), 5)
}

/// A bar of `of` items in the style of `template`; it disappears when it is dropped.
fn bar(name: String, of: usize, template: &str) -> ProgressBar {
    // Templates are constants; the plain bar would do if one were wrong.
    let style = ProgressStyle::with_template(template);
    ProgressBar::with_draw_target(Some(of as u64), target())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(name)
        .with_finish(ProgressFinish::AndClear)
}
