//! Progress for people, on standard error: a spinner, the bar of a job, and the bar of training.

mod meter;
mod spinner;
mod training;

pub use meter::Meter;
pub use spinner::Spinner;
pub use training::Progress;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use crate::cli::terminal;

/// True where bars are drawn: on a terminal, unless `quiet` or `NO_COLOR` says otherwise.
fn has_bars(quiet: bool) -> bool {
    let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    !quiet && colour && terminal::is_shown()
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
