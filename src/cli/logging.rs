//! Messages of wgpu and naga, which report through the `log` crate, on standard error.

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::common::Talk;
use super::terminal;

/// Shows errors always, warnings with `-v`, information with `-vv`, and debug messages with `-vvv`.
pub fn start(talk: &Talk) {
    let verbose = if talk.quiet { 0 } else { talk.verbose };
    let level = match verbose {
        0 => LevelFilter::Error,
        1 => LevelFilter::Warn,
        2 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    // There is no other logger in this program.
    if log::set_logger(&StandardError).is_ok() {
        log::set_max_level(level);
    }
}

struct StandardError;

impl Log for StandardError {
    /// True for wgpu and naga. Other libraries, for downloads, stay silent, and so do the tens of
    /// thousands of debug messages of naga.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let is_naga = target.starts_with("naga") && metadata.level() <= Level::Info;
        is_naga || target.starts_with("wgpu")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            terminal::say(&line(record));
        }
    }

    fn flush(&self) {}
}

/// The record as a line such as `warning: wgpu_hal: message`.
fn line(record: &Record<'_>) -> String {
    let level = match record.level() {
        Level::Warn => "warning".to_owned(),
        level => level.as_str().to_lowercase(),
    };
    let module = record.target();
    let library = module.split("::").next().unwrap_or(module);
    format!("{level}: {library}: {}", record.args())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_its_level_and_its_crate() {
        let hal = (Level::Warn, "wgpu_hal::vulkan::device");
        for ((level, module), expected) in [
            (hal, "warning: wgpu_hal: no heap"),
            ((Level::Error, "naga"), "error: naga: no heap"),
        ] {
            let args = format_args!("no heap");
            let mut record = Record::builder();
            let record = record.level(level).target(module).args(args).build();
            assert!(StandardError.enabled(record.metadata()));
            assert_eq!(line(&record), expected);
        }
        let downloads = (Level::Warn, "rustls::client");
        for (level, target) in [downloads, (Level::Debug, "naga::front")] {
            let silent = Metadata::builder().level(level).target(target).build();
            assert!(!StandardError.enabled(&silent), "{target}");
        }
    }
}
