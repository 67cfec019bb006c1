//! The run folder: configuration, metrics, events, pictures, model and checkpoint.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use image::RgbImage;

use super::error::{ReportError, io_error};
use super::lock;
use super::metrics::Metrics;
use super::tensorboard::{self, Events};
use crate::files::atomic;
use crate::files::regular;
use crate::files::tensors::TensorFile;
use crate::render::{self, Curve, GridStyle, RenderError, Timing};
use crate::run::config::RunConfig;
use crate::run::faults::Faults;
use crate::saved::Trained;
use crate::saved::checkpoint::{self, Checkpoint, Platform};
use crate::train::event::{EpochReport, Event, Snapshot};

/// The options of the run.
pub const CONFIG: &str = "config.json";
pub(super) const METRICS: &str = "metrics.jsonl";
/// The weights and counters that a run is resumed from.
pub const CHECKPOINT: &str = "checkpoint.safetensors";
/// The weights that a run ended with.
pub const MODEL: &str = "model.safetensors";
/// The weights of the best epoch of a run with validation images.
pub const BEST: &str = "model.best.safetensors";

/// Writes the files of a run as its events arrive. It holds the lock of the folder.
pub struct RunFolder {
    path: PathBuf,
    run: RunConfig,
    platform: Platform,
    journals: Option<(Metrics, Events)>,
    checkpoints: u64,
    /// Faults to inject.
    pub faults: Faults,
    _lock: File,
}

impl RunFolder {
    /// Makes the folder and writes `config.json`; refuses a folder that holds a run.
    pub fn create(path: &Path, mut run: RunConfig) -> Result<Self, ReportError> {
        let refuse = || {
            let taken = [CONFIG, METRICS, tensorboard::NAME, CHECKPOINT, MODEL, BEST];
            match taken.iter().any(|name| path.join(name).exists()) {
                true => Err(ReportError::Occupied(path.to_owned())),
                false => Ok(()),
            }
        };
        fs::create_dir_all(path).map_err(io_error(path))?;
        // Before the lock creates its file, and again once no other process can begin a run.
        refuse()?;
        let source = run.data.clone();
        run.locate(&source, path);
        let mut folder = Self::locked(path, run)?;
        refuse()?;
        let written = folder.write_config();
        if written.is_err() {
            folder.abandon();
        }
        written.map(|()| folder)
    }

    /// Makes the first unused folder of `<parent>/<name>-1`, `-2`, …; concurrent processes get
    /// different ones.
    pub fn create_fresh(parent: &Path, name: &str, run: RunConfig) -> Result<Self, ReportError> {
        fs::create_dir_all(parent).map_err(io_error(parent))?;
        let name = folder_name(name);
        let mut number = 1_u64;
        let path = loop {
            let path = parent.join(format!("{name}-{number}"));
            // Creating the folder succeeds for one process only, unlike a test that it exists.
            match fs::create_dir(&path) {
                Ok(()) => break path,
                Err(e) if e.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(e) => return Err(io_error(&path)(e)),
            }
        };
        Self::create(&path, run).inspect_err(|_| {
            // Fails on purpose where the folder is not empty.
            let _ = fs::remove_dir(&path);
        })
    }

    /// Opens the folder of a run.
    pub fn open(path: &Path) -> Result<Self, ReportError> {
        let config = path.join(CONFIG);
        if !config.exists() {
            return Err(ReportError::NoRun(path.to_owned()));
        }
        // First, so that nothing is changed for a run that cannot be recorded.
        for file in [METRICS, tensorboard::NAME].map(|name| path.join(name)) {
            regular::check_own(&file).map_err(io_error(&file))?;
        }
        Self::locked(path, RunConfig::read(&config)?)
    }

    fn locked(path: &Path, run: RunConfig) -> Result<Self, ReportError> {
        let lock = lock::take(path).map_err(io_error(&path.join(lock::NAME)))?;
        Ok(RunFolder {
            path: path.to_owned(),
            run,
            platform: Platform::default(),
            journals: None,
            checkpoints: 0,
            faults: Faults::default(),
            _lock: lock.ok_or_else(|| ReportError::Locked(path.to_owned()))?,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The options of the run.
    pub fn run(&self) -> &RunConfig {
        &self.run
    }

    /// Changes the options of the run and rewrites `config.json`.
    pub fn set_run(&mut self, run: RunConfig) -> Result<(), ReportError> {
        self.run = run;
        self.write_config()
    }

    fn write_config(&self) -> Result<(), ReportError> {
        let text = serde_json::to_string_pretty(&self.run)? + "\n";
        self.write(CONFIG, text.as_bytes())
    }

    /// The last checkpoint, if there is one.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, ReportError> {
        let path = self.path.join(CHECKPOINT);
        if !path.exists() {
            return Ok(None);
        }
        let read = checkpoint::read_checkpoint(&path, &self.run.model_config());
        read.map(Some).map_err(ReportError::Checkpoint)
    }

    /// True if `model.safetensors`, the last file of a run, has the weights of the checkpoint.
    pub fn is_complete(&self, checkpoint: &Checkpoint) -> bool {
        let Ok(model) = TensorFile::read(self.path.join(MODEL)) else {
            return false;
        };
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        (checkpoint.snapshot.params.iter()).all(|(spec, [weights, ..])| {
            let theirs = model.get_f32(&spec.name, &spec.shape);
            theirs.is_ok_and(|theirs| bits(theirs) == bits(weights))
        })
    }

    /// Opens the metrics with their first `lines` lines and the matching events, and removes the
    /// temporary files of a killed process. Returns the number of lines found, which may be smaller.
    pub fn begin(&mut self, lines: usize) -> Result<usize, ReportError> {
        atomic::sweep(&self.path).map_err(io_error(&self.path))?;
        let (metrics, dropped) = Metrics::open(self.path.join(METRICS), lines)?;
        // A dropped epoch has a picture, which the resumed run may not replace.
        for report in dropped {
            let path = self.path.join(picture_name(report.epoch));
            match fs::remove_file(&path) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(io_error(&path)(e)),
                _ => {}
            }
        }
        let events = Events::open(self.path.join(tensorboard::NAME), lines)?;
        let found = metrics.found;
        self.journals = Some((metrics, events));
        Ok(found)
    }

    /// Removes the files of [`RunFolder::create`], for a run that did not begin.
    pub fn abandon(&mut self) {
        for name in [CONFIG, lock::NAME] {
            // A file that cannot be removed stays; the next attempt reports it.
            let _ = fs::remove_file(self.path.join(name));
        }
        // Fails on purpose where the folder holds other files.
        let _ = fs::remove_dir(&self.path);
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ReportError> {
        let path = self.path.join(name);
        atomic::write(&path, bytes).map_err(io_error(&path))
    }

    /// Records an event.
    pub fn on(&mut self, event: &Event) -> Result<(), ReportError> {
        let (shape, range) = (self.run.model.image, self.run.model.range());
        match event {
            Event::Started {
                adapter,
                driver,
                variant,
                ..
            } => {
                self.platform = Platform::of(adapter, driver, variant.clone());
            }
            Event::Epoch(report) => {
                if let Some((metrics, events)) = &mut self.journals {
                    metrics.append(report)?;
                    events.report(report)?;
                }
                if self.run.images {
                    let picture = render::curves(&curves(self.reports()), "nats per image");
                    self.write("elbo.png", &render::png_bytes(&picture)?)?;
                }
            }
            Event::Pictures { epoch, images } => {
                let style = GridStyle {
                    range,
                    ..GridStyle::default()
                };
                let picture = render::grid(images, shape, 4, style)?;
                let png = render::png_bytes(&picture)?;
                self.write(&picture_name(*epoch), &png)?;
                let step = self.reports().last().map_or(0, |report| report.step);
                if let Some((_, events)) = &mut self.journals {
                    events.picture(step, picture.dimensions(), &png)?;
                }
            }
            Event::Manifold { n, images } => {
                let picture = render::manifold(images, shape, *n, range)?;
                self.write("manifold.png", &render::png_bytes(&picture)?)?;
            }
            Event::Checkpoint(snapshot) => {
                if let Some((metrics, events)) = &self.journals {
                    metrics.journal.flush()?;
                    events.0.flush()?;
                }
                let config = self.run.model_config();
                let bytes =
                    checkpoint::checkpoint_bytes(snapshot, &config, &self.run, &self.platform)?;
                let path = self.path.join(CHECKPOINT);
                let (faults, number) = (self.faults, self.checkpoints);
                atomic::write_with(&path, |file| faults.write(number, &bytes, file))
                    .map_err(io_error(&path))?;
                self.checkpoints += 1;
            }
            Event::Done { snapshot, .. } => {
                if self.run.images {
                    self.animate()?;
                }
                // Written last: it marks the run as complete.
                self.write_model(MODEL, snapshot)?;
            }
            Event::Best { snapshot, .. } => self.write_model(BEST, snapshot)?,
            Event::FirstStep { .. }
            | Event::Progress { .. }
            | Event::StoppedEarly { .. }
            | Event::Warning { .. }
            | Event::Interrupted { .. } => {}
        }
        Ok(())
    }

    fn write_model(&self, name: &str, snapshot: &Snapshot) -> Result<(), ReportError> {
        let run = &self.run;
        let trained = Trained {
            data: run.model_config().data,
            classes: run.classes.clone(),
            ..Trained::from_snapshot(&run.model, run.binarize, snapshot)
        };
        Ok(trained.to_file().write(self.path.join(name))?)
    }

    /// The reports of the metrics.
    fn reports(&self) -> &[EpochReport] {
        let journals = self.journals.as_ref();
        journals.map_or(&[], |(metrics, _)| &metrics.reports)
    }

    /// Writes the animation of the pictures in the folder, one per line of the metrics.
    fn animate(&self) -> Result<(), ReportError> {
        // Reads one picture at a time, since a run may have many epochs.
        let pictures = self
            .reports()
            .iter()
            .map(|report| self.picture(report.epoch));
        let timing = Timing {
            each: 50,
            last: 300,
        };
        let mut gif = Vec::new();
        match render::animate(pictures.filter_map(Result::transpose), timing, &mut gif) {
            Err(ReportError::Render(RenderError::NoFrames)) => Ok(()),
            Err(e) => Err(e),
            Ok(()) => self.write("cvae.gif", &gif),
        }
    }

    /// The picture of an epoch; `None` where it is missing.
    fn picture(&self, epoch: usize) -> Result<Option<RgbImage>, ReportError> {
        let path = self.path.join(picture_name(epoch));
        let bytes = match regular::read(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(io_error(&path))?,
        };
        let picture = image::load_from_memory(&bytes);
        let picture = picture.map_err(|e| io_error(&path)(io::Error::other(e)))?;
        Ok(Some(picture.into_rgb8()))
    }
}

/// The name of a set as part of a folder name: letters, digits, `-` and `_`. The name comes from a
/// file, so it may hold separators, dots and control characters.
fn folder_name(name: &str) -> String {
    /// Characters of at most four bytes each; a file name may have 255 bytes.
    const LONGEST: usize = 48;
    let is_safe = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let parts = name.split(|c| !is_safe(c)).filter(|part| !part.is_empty());
    let safe: String = parts.collect::<Vec<_>>().join("-");
    match safe.chars().take(LONGEST).collect::<String>() {
        safe if safe.is_empty() => "run".to_owned(),
        safe => safe,
    }
}

fn picture_name(epoch: usize) -> String {
    format!("image_at_epoch_{epoch:04}.png")
}

/// The curves of the test ELBO, of the training loss and, if there is one, of the validation ELBO.
fn curves(reports: &[EpochReport]) -> Vec<Curve> {
    type Figure = fn(&EpochReport) -> Option<f64>;
    let curve = |(name, figure): (&str, Figure)| {
        let point = |report: &EpochReport| Some([report.epoch as f64, figure(report)?]);
        let points: Vec<[f64; 2]> = reports.iter().filter_map(point).collect();
        let name = match points.last() {
            Some([_, last]) => format!("{name} {last:.2}"),
            None => name.into(),
        };
        Curve { name, points }
    };
    let mut figures: Vec<(&str, Figure)> = vec![
        ("test ELBO", |report| Some(report.test_elbo)),
        ("- train loss", |report| Some(-report.train_loss?)),
    ];
    if reports
        .iter()
        .any(|report| report.validation_elbo.is_some())
    {
        figures.push(("validation ELBO", |report| report.validation_elbo));
    }
    figures.into_iter().map(curve).collect()
}
