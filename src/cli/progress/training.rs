//! The progress of training on standard error: a bar on a terminal, else a line every few seconds.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use crate::cli::terminal;
use cvae_gpu::train::LogEvery;
use cvae_gpu::train::event::{EpochReport, Event};

/// Time between two lines where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// The listener for people.
pub struct Progress {
    quiet: bool,
    verbose: bool,
    log: Option<LogEvery>,
    /// The epoch that the bar shows, from 1.
    epoch: usize,
    epoch_start: Instant,
    /// Steps of the epoch that were done before `epoch_start`.
    before: usize,
    last_line: Instant,
    bar: Option<ProgressBar>,
    has_bar: bool,
}

impl Progress {
    /// Prints nothing if `quiet`, and a line per submission if `verbose`. Where there is no bar, prints
    /// a line at each multiple of `log_every` steps, by default every few seconds.
    pub fn new(quiet: bool, verbose: bool, log_every: Option<u64>) -> Self {
        Progress {
            quiet,
            verbose,
            log: log_every.map(LogEvery::new),
            epoch: 0,
            epoch_start: Instant::now(),
            before: 0,
            last_line: Instant::now(),
            bar: None,
            has_bar: super::has_bars(quiet),
        }
    }

    fn say(&self, line: &str) {
        if self.quiet {
            return;
        }
        let print = || terminal::say(line);
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Shows an event.
    pub fn on(&mut self, event: &Event) {
        match event {
            Event::Started {
                adapter,
                driver,
                variant,
                parameters,
                device_bytes,
                train_images,
                test_images,
                step,
                steps_per_epoch,
                ..
            } => {
                self.say(&format!("Adapter: {adapter} ({driver}), kernels {variant}"));
                self.say(&format!(
                    "Model: {parameters} parameters; data: {train_images} training and {test_images} test images; {} MiB on the device",
                    device_bytes.div_ceil(1 << 20)
                ));
                match step {
                    0 => self.say("Evaluating the untrained model …"),
                    _ => self.say(&format!("Resuming after step {step}")),
                }
                (self.epoch_start, self.last_line) = (Instant::now(), Instant::now());
                self.before = (*step % *steps_per_epoch as u64) as usize;
            }
            Event::FirstStep { seconds } => {
                self.say(&format!("Set up and first step: {seconds:.1} s"));
            }
            Event::Progress {
                epoch,
                done,
                of,
                loss,
                ..
            } => {
                self.lines(event);
                self.show(*epoch, *done, *of, *loss);
                if done == of {
                    // The next epoch may follow without an evaluation.
                    (self.epoch_start, self.before) = (Instant::now(), 0);
                }
            }
            Event::Epoch(report) => {
                self.bar = None;
                self.say(&epoch_line(report));
                (self.epoch_start, self.last_line) = (Instant::now(), Instant::now());
                self.before = 0;
            }
            Event::Done { step, traffic, .. } => {
                self.bar = None;
                self.say(&format!(
                    "Done after {step} steps in {} submissions (up to {} steps each); the host wrote {} buffers while steps ran",
                    traffic.submissions, traffic.most_steps, traffic.host_writes
                ));
            }
            Event::Warning { message } => self.say(&format!("warning: {message}")),
            Event::Interrupted { step } => {
                self.bar = None;
                self.say(&format!(
                    "Interrupted after step {step}; all steps are saved"
                ));
            }
            Event::Pictures { .. } | Event::Manifold { .. } | Event::Checkpoint(_) => {}
        }
    }

    /// Prints the lines that are due.
    fn lines(&mut self, event: &Event) {
        if self.quiet {
            return;
        }
        let due = self.verbose || self.last_line.elapsed() >= LINE_EVERY;
        match &mut self.log {
            _ if self.has_bar && !self.verbose => {}
            Some(log) => {
                for event in log.take(event) {
                    self.line(&event);
                }
            }
            None if due => self.line(event),
            None => {}
        }
    }

    fn line(&mut self, event: &Event) {
        let Event::Progress {
            epoch,
            done,
            of,
            loss,
            ..
        } = event
        else {
            return;
        };
        self.last_line = Instant::now();
        let seconds = self.epoch_start.elapsed().as_secs_f64();
        let timed = done.saturating_sub(self.before).max(1);
        let left = seconds * (of - done) as f64 / timed as f64;
        self.say(&format!(
            "Epoch {epoch:>3}: {done}/{of} steps, loss {loss:.2}, {left:.0} s to go"
        ));
    }

    /// Updates the bar.
    fn show(&mut self, epoch: usize, done: usize, of: usize, loss: f64) {
        if !self.has_bar {
            return;
        }
        if self.epoch != epoch {
            self.bar = None;
            self.epoch = epoch;
        }
        let before = self.before as u64;
        let bar = self.bar.get_or_insert_with(|| {
            let template = "{prefix} {bar:30} {pos}/{len} steps, {per_sec}, {eta} to go, {msg}";
            super::bar(format!("Epoch {epoch}"), of, template).with_position(before)
        });
        bar.set_message(format!("loss {loss:.2}"));
        bar.set_position(done as u64);
    }
}

fn epoch_line(report: &EpochReport) -> String {
    let EpochReport {
        epoch,
        test_elbo,
        reconstruction,
        kl,
        eval_seconds,
        ..
    } = report;
    let terms =
        format!("test ELBO {test_elbo:.2} (reconstruction {reconstruction:.2}, KL {kl:.2})");
    match report.images_per_second {
        Some(rate) => format!(
            "Epoch {epoch:>3}: {terms}, trained in {:.1} s ({rate:.0} images/s), evaluated in {eval_seconds:.1} s",
            report.train_seconds
        ),
        None => format!("Epoch {epoch:>3}: {terms}, evaluated in {eval_seconds:.1} s"),
    }
}
