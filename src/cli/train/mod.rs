//! `cvae-gpu train`

mod extras;
mod init;
mod model;
mod options;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use crate::cli::progress::Progress;
use anyhow::bail;
use clap::{Args, ValueHint};
use cvae_gpu::data::{self, Binarize, ImageSet, Prepare};
use cvae_gpu::gpu::{Gpu, GpuError};
use cvae_gpu::model::params::ParamSpec;
use cvae_gpu::run::RunFolder;
use cvae_gpu::run::faults::Faults;
use cvae_gpu::saved::checkpoint::{Checkpoint, Platform};
use cvae_gpu::train::LogEvery;
use cvae_gpu::train::event::Event;
use cvae_gpu::train::{Best, Ended, Options, TrainError, Trainer};
use serde::Serialize;

use super::advice;
use super::arch;
use super::choices::caution;
use super::images::{Choice, KEEP, PrepareArgs, load_any};
use super::paths;
use super::signals::Signals;
use super::tuned;
use super::weights::Weights;
use crate::cli::common::Common;
use crate::cli::terminal::{Versioned, is_broken_pipe, print_json_line};
use init::Init;
pub use model::{About, ModelArgs};
use options::RunArgs;

/// Train a model; the defaults are those of TensorFlow's tutorial
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu train                          MNIST, 10 epochs, into runs/mnist-1
  cvae-gpu train --epochs 1 --seed 7      a first look
  cvae-gpu train --data fashion-mnist     see `cvae-gpu data list`
  cvae-gpu train --data photos --size 64  your own images
  cvae-gpu train --patience 3             until validation images gain no more
  cvae-gpu train --resume runs/mnist-1    continue after Ctrl-C or a crash

The run folder gets config.json, metrics.jsonl, an event file for TensorBoard, a picture per \
epoch, elbo.png, cvae.gif, manifold.png, model.safetensors, checkpoint.safetensors and, with \
--val-fraction, model.best.safetensors. Values are in nats per image.

Ctrl-C (status 130), SIGTERM (143), SIGHUP (129) or a closed standard output with --json (141) \
ends training with a checkpoint; a second Ctrl-C or SIGTERM stops at once.")]
pub struct TrainArgs {
    /// Resume the run in this folder with its saved options
    ///
    /// --epochs and --max-steps may end the run later, and --lr changes the rate from here on.
    /// --checkpoint-every, --eval-every, --log-every and the options of the adapter may change, and
    /// --data if the same images have moved. Any other option must have its saved value.
    #[arg(long, value_name = "RUN", value_hint = ValueHint::DirPath, conflicts_with = "out")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    model: ModelArgs,
    /// Start from the weights of this model or run, which also says what the model is
    ///
    /// The optimizer starts anew. --encoder-filters and the like must be those of the weights; --beta, --kl
    /// and a fixed --sigma may be others.
    #[arg(
        long,
        value_name = "MODEL",
        conflicts_with = "resume",
        help_heading = "Model"
    )]
    init: Option<PathBuf>,
    /// Run folder [default: a new one in runs/]
    #[arg(
        long,
        value_name = "DIR",
        value_parser = paths::folder(),
        value_hint = ValueHint::DirPath,
        help_heading = "Output"
    )]
    out: Option<PathBuf>,
    /// Print one JSON object per event on standard output
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// Faults for the tests of this program
    #[arg(long, hide = true, default_value = None)]
    inject: Option<Faults>,
}

/// A run that is ready to start or to be resumed.
struct Job {
    folder: RunFolder,
    set: ImageSet,
    /// The binarization of a new run, until it is printed.
    choice: Option<Choice>,
    checkpoint: Option<Checkpoint>,
    /// The first weights, unless they are random.
    weights: Option<Vec<(ParamSpec, Vec<f32>)>>,
    /// The file of the first weights of a new run, until it is printed.
    first: Option<Weights>,
    /// Remarks on the options of a new run, until they are printed.
    notes: Vec<String>,
    /// This process made the folder, and removes it if training does not start.
    is_new: bool,
    /// Training has started in this process, and the folder holds its results.
    has_begun: bool,
}

impl TrainArgs {
    pub fn run(self, common: &Common) -> anyhow::Result<ExitCode> {
        let signals = Signals::listen()?;
        let job = match &self.resume {
            Some(path) => self.reopen(path, common, &signals)?,
            None => Some(self.begin(common, &signals)?),
        };
        let Some(mut job) = job else {
            return Ok(ExitCode::SUCCESS);
        };
        let path = job.folder.path().display().to_string();
        let faults = self.inject.unwrap_or_default();
        job.folder.faults = faults;
        let selection = job.folder.run().device.clone();
        let mut stdout = Stdout::default();
        let mut attempt = |job: &mut Job, faults| {
            common.on_adapter(&selection, |first| {
                self.attempt(job, common, &signals, &mut stdout, faults, first)
            })
        };
        let mut ended = attempt(&mut job, faults);
        if let Err(error) = &ended
            && let Some(GpuError::Lost { .. }) = advice::gpu_error(error)
        {
            let lost = advice::message(error);
            common.warn(&format!("{lost}; resuming from the last checkpoint"));
            job.checkpoint = job.folder.checkpoint()?;
            job.is_new = false;
            // Once only, since the device may be lost again and again.
            let rest = Faults {
                lose_device: None,
                ..faults
            };
            ended = attempt(&mut job, rest);
        }
        if ended.is_err() && job.is_new && !job.has_begun {
            // A run that did not start leaves no folder.
            job.folder.abandon();
        }
        if ended.is_err()
            && let Ok(Some(last)) = job.folder.checkpoint()
        {
            let step = last.snapshot.step();
            common.say(&format!("The checkpoint of step {step} in {path} is whole"));
        }
        match ended? {
            Ended::Done => {
                common.say(&format!("Wrote {path}"));
                stdout.end().map(|_| ExitCode::SUCCESS)
            }
            Ended::Interrupted => {
                common.say(&format!("Resume with: cvae-gpu train --resume {path}"));
                match signals.status() {
                    Some(status) => Ok(ExitCode::from(status)),
                    None => stdout.end().map(ExitCode::from),
                }
            }
        }
    }

    /// Starts a new run in its own folder.
    fn begin(&self, common: &Common, signals: &Signals) -> anyhow::Result<Job> {
        let prepare = self.run.prepare.over(&Prepare::default());
        let (source, mut watch) = (self.run.source(), common.watch(&self.run.prepare));
        let set = data::load_prepared(source, Binarize::None, &prepare, &mut watch)?;
        let arch = self.model.arch()?;
        let init = match &self.init {
            Some(path) => {
                let model = arch.as_ref().map(|arch| arch.model(set.shape()));
                Some(Init::read(path, model, set.shape())?)
            }
            None => None,
        };
        let arch = arch.or_else(|| init.as_ref().map(Init::arch));
        let usual = arch.as_ref().and_then(arch::Choice::binarize);
        let choice = Choice::of(self.run.binarize, usual, &set)?;
        let set = set.binarized(choice.binarize)?;
        let mut run = self.run.fresh(
            &self.model,
            arch.as_ref(),
            common.selection(),
            &set,
            choice.binarize,
        )?;
        let mut notes: Vec<String> = self.run.held_out().into_iter().collect();
        let is_real = About::set(&set, choice.binarize)?.is_real;
        if self.model.takes_gaussian(arch.as_ref(), is_real) {
            let why = "the images have real values; `bernoulli` is the tutorial's";
            notes.push(format!("Taking --likelihood gaussian: {why}"));
        }
        let (mut weights, mut first) = (None, None);
        if let Some(mut init) = init {
            run.init = Some(init.path()?);
            weights = Some(init.weights(&run.model)?);
            first = Some(init.file);
        }
        let set = run.images(set)?;
        let (batch, images) = (run.batch, set.train.images.count());
        if batch > images {
            notes.push(format!(
                "A batch of {batch} takes all {images} training images: each epoch is one step"
            ));
        }
        signals.save_first();
        let folder = match &self.out {
            Some(out) => RunFolder::create(out, run)?,
            None => RunFolder::create_fresh(Path::new("runs"), &set.name, run)?,
        };
        Ok(Job {
            folder,
            set,
            choice: Some(choice),
            checkpoint: None,
            first,
            weights,
            notes,
            is_new: true,
            has_begun: false,
        })
    }

    /// Resumes a run; `None` if it is finished.
    fn reopen(
        &self,
        path: &Path,
        common: &Common,
        signals: &Signals,
    ) -> anyhow::Result<Option<Job>> {
        let mut folder = RunFolder::open(path)?;
        let saved = folder.run();
        let mut run = self.run.resumed(&self.model, common, saved)?;
        let checkpoint = folder.checkpoint()?;
        let (set, source) = load_any(
            self.run.data.as_ref(),
            &saved.sources(path),
            run.binarize,
            (&run.prepare, &PrepareArgs::default()),
            common,
        )?;
        let fingerprint = set.fingerprint()?;
        let known = saved.data_sha256.as_ref();
        if known.is_some_and(|known| *known != fingerprint) {
            bail!(
                "{source}: these are not the images that the run in {} was started with: restore \
                 them, give their path with --data, or train into a new folder",
                path.display()
            );
        }
        run.data_sha256 = Some(fingerprint);
        run.locate(&source, path);
        let set = run.images(set)?;
        if let Some(checkpoint) = &checkpoint {
            let images = set.train.images.count() as u64;
            let per_epoch = images.div_ceil(run.batch as u64);
            let end = (run.epochs as u64 * per_epoch).min(run.max_steps.unwrap_or(u64::MAX));
            let step = checkpoint.snapshot.step();
            if step > end {
                bail!(
                    "the run in {} has made {step} steps already: give more",
                    path.display()
                );
            }
            let best = checkpoint.snapshot.record.best;
            let is_over = |(best, patience): (Best, usize)| best.is_over(patience);
            let more = match best.zip(run.patience).is_some_and(is_over) {
                _ if step == end => Some("--epochs or --max-steps"),
                true => Some("--patience"),
                false => None,
            };
            if let Some(more) = more.filter(|_| folder.is_complete(checkpoint)) {
                common.say(&format!(
                    "The run in {} is finished, after {step} steps. To continue, give more {more}",
                    path.display()
                ));
                return Ok(None);
            }
        }
        let weights = match (&checkpoint, &run.init) {
            (None, Some(file)) => {
                let mut init = Init::read(file, Some(run.model.clone()), set.shape())?;
                Some(init.weights(&run.model)?)
            }
            _ => None,
        };
        signals.save_first();
        if run != *saved {
            folder.set_run(run)?;
        }
        Ok(Some(Job {
            folder,
            set,
            choice: None,
            checkpoint,
            first: None,
            weights,
            notes: Vec::new(),
            is_new: false,
            has_begun: false,
        }))
    }

    /// Trains from the job's checkpoint or from the start, on the first adapter from index `first`.
    fn attempt(
        &self,
        job: &mut Job,
        common: &Common,
        signals: &Signals,
        stdout: &mut Stdout,
        faults: Faults,
        first: usize,
    ) -> anyhow::Result<Ended> {
        let mut run = job.folder.run().clone();
        let options = Options {
            data_memory: self.run.data_memory,
            ..run.options()
        };
        let mut gpu = pollster::block_on(Gpu::open_from(&run.device, first))?;
        let tuned = match job.is_new {
            true => tuned::choose(&mut gpu, common, &options.model, options.batch),
            false => None,
        };
        let trainer = pollster::block_on(Trainer::new(&gpu, &options, &job.set))?;
        if let Some(choice) = tuned {
            // A resumed run keeps these kernels, whatever is tuned later.
            run.device.tuning = choice;
            job.folder.set_run(run.clone())?;
        }
        let mut trainer = trainer.stop_on(signals.flag());
        // Printed after the checks, so that an error is the only message.
        if let Some(choice) = job.choice.take() {
            choice.say_unused(KEEP, common);
            choice.say(common);
        }
        if let Some(file) = job.first.take() {
            file.say(common);
        }
        job.notes.drain(..).for_each(|note| common.say(&note));
        let mut warnings = Vec::new();
        let mut lines = 0;
        if let Some(Checkpoint {
            snapshot,
            platform,
            device,
        }) = job.checkpoint.take()
        {
            let here = Platform::of(&gpu.adapter.name, &gpu.adapter.driver, trainer.variant());
            let differences = here.differences(&platform);
            let chosen = options::kernel_differences(&run.device, &device);
            if !chosen.is_empty() && differences.is_empty() {
                warnings.push(format!(
                    "the kernels are not those of the checkpoint ({}): the run resumes, but perhaps \
                     not bit for bit",
                    chosen.join(", ")
                ));
            }
            if !differences.is_empty() {
                warnings.push(format!(
                    "the checkpoint is from another platform ({}): the run resumes, but not bit for \
                     bit",
                    differences.join(", ")
                ));
            }
            lines = snapshot.record.lines;
            trainer = trainer.resume(snapshot)?;
        } else {
            if !job.is_new {
                warnings.push("there is no checkpoint: the run restarts".to_owned());
            }
            if let Some(weights) = &job.weights {
                trainer = trainer.warm(weights)?;
            }
        }
        let found = job.folder.begin(lines)?;
        job.has_begun = true;
        if found < lines {
            warnings.push(format!(
                "metrics.jsonl has {found} of the {lines} lines that were written: the others \
                 are lost"
            ));
        }
        let mut progress = Progress::new(common, run.log_every);
        let mut log = run.log_every.map(LogEvery::new);
        let folder = &mut job.folder;
        let mut listener = |event: Event| {
            progress.on(&event);
            folder.on(&event)?;
            if let (Event::Progress { step, .. }, Some(lost)) = (&event, faults.lose_device)
                && *step >= lost
            {
                gpu.lose();
            }
            if !self.json {
                return Ok(());
            }
            let events = match &mut log {
                Some(log) if matches!(event, Event::Progress { .. }) => log.take(&event),
                _ => vec![event],
            };
            let print = |event| stdout.print(event, folder.path());
            events.iter().for_each(print);
            if stdout.failure.is_some() {
                // Nobody reads the events, so training ends with a checkpoint.
                signals.flag().store(true, Ordering::SeqCst);
            }
            Ok(())
        };
        if let Some(caution) = caution(&options.model, &job.set.test.images)? {
            common.say(caution);
        }
        for message in warnings {
            listener(Event::Warning { message }).map_err(TrainError::Listener)?;
        }
        Ok(pollster::block_on(trainer.run(&mut listener))?)
    }
}

/// The first event, with the folder of its run.
#[derive(Serialize)]
struct Started<'a> {
    run: String,
    #[serde(flatten)]
    event: &'a Event,
}

/// Standard output, and its first error.
#[derive(Default)]
struct Stdout {
    failure: Option<anyhow::Error>,
}

impl Stdout {
    /// Prints an event of the run in `folder`, unless an earlier one failed.
    fn print(&mut self, event: &Event, folder: &Path) {
        if self.failure.is_some() {
            return;
        }
        let printed = match event {
            Event::Started { .. } => print_json_line(&Versioned::new(Started {
                run: folder.display().to_string(),
                event,
            })),
            _ => print_json_line(event),
        };
        self.failure = printed.err();
    }

    /// The exit status of a run that stopped because of the failure. A closed pipe is no error: the
    /// status is that of a process ended by SIGPIPE.
    fn end(self) -> anyhow::Result<u8> {
        const CLOSED: u8 = 141;
        match self.failure {
            Some(error) if !is_broken_pipe(&error) => {
                bail!("{error:#}; the run was saved")
            }
            _ => Ok(CLOSED),
        }
    }
}
