//! The progress of training on standard error: a bar on a terminal, else a line every few seconds.

use std::time::{Duration, Instant};

use cvae_gpu::train::LogEvery;
use cvae_gpu::train::event::{EpochReport, Event};
use indicatif::ProgressBar;

use crate::cli::common::Common;

/// Time between two lines where there is no bar.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// The listener for people.
pub struct Progress<'a> {
    common: &'a Common,
    log: Option<LogEvery>,
    epoch_start: Instant,
    /// Steps of the epoch that were done before `epoch_start`.
    before: usize,
    last_line: Instant,
    bar: Option<ProgressBar>,
    has_bar: bool,
}

impl<'a> Progress<'a> {
    /// Prints a line per submission with `--verbose`. Where there is no bar, prints a line at each
    /// multiple of `log_every` steps, by default every few seconds.
    pub fn new(common: &'a Common, log_every: Option<u64>) -> Self {
        Progress {
            common,
            log: log_every.map(LogEvery::new),
            epoch_start: Instant::now(),
            before: 0,
            last_line: Instant::now(),
            bar: None,
            has_bar: common.has_bars(),
        }
    }

    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.common.say(line)),
            None => self.common.say(line),
        }
    }

    /// Shows an event.
    pub fn on(&mut self, event: &Event) {
        if let Event::Epoch(_) | Event::Done { .. } | Event::Interrupted { .. } = event {
            self.bar = None;
        }
        match event {
            Event::Started {
                adapter,
                driver,
                variant,
                parameters,
                device_bytes,
                train_images,
                train_window,
                test_images,
                validation_images,
                step,
                steps_per_epoch,
                warm,
                ..
            } => {
                let validation = match validation_images {
                    0 => String::new(),
                    count => format!(", {count} validation"),
                };
                self.say(&format!("Adapter: {adapter} ({driver}), kernels {variant}"));
                self.say(&format!(
                    "Model: {parameters} parameters; data: {train_images} training{validation} and {test_images} test images; {} MiB on the device",
                    device_bytes.div_ceil(1 << 20)
                ));
                if train_window < train_images {
                    self.say(&format!(
                        "The device holds {train_window} training images at a time"
                    ));
                }
                match step {
                    0 if *warm => self.say("Evaluating the model before training …"),
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
                if self.has_bar {
                    self.show(*epoch, *done, *of, *loss);
                }
                if done == of {
                    // The next epoch may follow without an evaluation.
                    (self.epoch_start, self.before) = (Instant::now(), 0);
                }
            }
            Event::Epoch(report) => {
                self.say(&epoch_line(report));
                (self.epoch_start, self.last_line) = (Instant::now(), Instant::now());
                self.before = 0;
            }
            Event::Done { step, traffic, .. } => self.say(&format!(
                "Done after {step} steps in {} submissions (up to {} steps each); the host wrote {} buffers while steps ran",
                traffic.submissions, traffic.most_steps, traffic.host_writes
            )),
            Event::StoppedEarly {
                epoch,
                best_epoch,
                best_elbo,
            } => self.say(&format!(
                "Stopping after epoch {epoch}: the validation ELBO was best after epoch {best_epoch}, \
                 {best_elbo:.2}; those weights are in model.best.safetensors"
            )),
            Event::Warning { message } => match &self.bar {
                Some(bar) => bar.suspend(|| self.common.warn(message)),
                None => self.common.warn(message),
            },
            Event::Interrupted { step } => self.say(&format!(
                "Interrupted after step {step}; all steps are saved"
            )),
            Event::Pictures { .. }
            | Event::Manifold { .. }
            | Event::Best { .. }
            | Event::Checkpoint(_) => {}
        }
    }

    /// Prints the lines that are due.
    fn lines(&mut self, event: &Event) {
        let verbose = self.common.talk.verbose > 0;
        if !self.common.shows_progress() || (self.has_bar && !verbose) {
            return;
        }
        match &mut self.log {
            Some(log) => {
                let events = log.take(event);
                events.iter().for_each(|event| self.line(event));
            }
            None if verbose || self.last_line.elapsed() >= LINE_EVERY => self.line(event),
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
        let name = format!("Epoch {epoch}");
        self.bar.take_if(|bar| bar.prefix() != name);
        let bar = self.bar.get_or_insert_with(|| {
            let template = "{prefix} {bar:30} {pos}/{len} steps, {per_sec}, {eta} to go, {msg}";
            super::bar(name, of, template).with_position(self.before as u64)
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
    let validation = match report.validation_elbo {
        Some(elbo) => format!("validation {elbo:.2}, "),
        None => String::new(),
    };
    let trained = match report.images_per_second {
        Some(rate) => format!(
            "trained in {:.1} s ({rate:.0} images/s), ",
            report.train_seconds
        ),
        None => String::new(),
    };
    format!(
        "Epoch {epoch:>3}: test ELBO {test_elbo:.2} (reconstruction {reconstruction:.2}, KL {kl:.2}), \
         {validation}{trained}evaluated in {eval_seconds:.1} s"
    )
}
