//! Which images a command takes: where they are, how they are prepared, and what is said while
//! they are read.

use std::fs;
use std::path::Path;

use crate::cli::progress::Meter;
use anyhow::{Context, bail};
use clap::Args;
use cvae_gpu::data::{self, Binarize, DataError, ImageSet, Prepare, Progress, known, mnist};
use cvae_gpu::run::{self, config::RunConfig};
use cvae_gpu::saved::Stored;

use crate::cli::common::Common;
use crate::cli::terminal::say;

/// How images are prepared; what is not given stays as it is.
#[derive(Args, Clone, Copy)]
pub struct PrepareArgs {
    /// Resize images to N×N pixels; their aspect is not kept
    #[arg(long, value_name = "N", value_parser = size, help_heading = "Data")]
    size: Option<usize>,
    /// Make images grey (1) or coloured (3) [default: as they are; a folder is coloured if any image in it is]
    #[arg(long, value_name = "1|3", value_parser = channels, help_heading = "Data")]
    channels: Option<usize>,
    /// Part to hold out, where a set has no test images: evenly from the images in their order [default: 0.1]
    #[arg(long, value_name = "F", value_parser = fraction, help_heading = "Data")]
    test_fraction: Option<f64>,
}

/// A preparation that a user may ask for, of a number and what it is.
fn valid<T: Copy>(number: Option<T>, prepare: impl Fn(T) -> Prepare) -> Result<T, String> {
    let number = number.ok_or("give a number")?;
    prepare(number).validate()?;
    Ok(number)
}

fn size(text: &str) -> Result<usize, String> {
    valid(text.parse().ok(), |n| Prepare {
        size: Some(n),
        ..Prepare::default()
    })
}

fn channels(text: &str) -> Result<usize, String> {
    valid(text.parse().ok(), |n| Prepare {
        channels: Some(n),
        ..Prepare::default()
    })
}

fn fraction(text: &str) -> Result<f64, String> {
    valid(text.parse().ok(), |n| Prepare {
        test_fraction: Some(n),
        ..Prepare::default()
    })
}

impl PrepareArgs {
    /// `base` with what was given.
    pub fn over(&self, base: &Prepare) -> Prepare {
        Prepare {
            size: self.size.or(base.size),
            channels: self.channels.or(base.channels),
            test_fraction: self.test_fraction.or(base.test_fraction),
            order: base.order,
        }
    }
}

/// What becomes of grey levels.
#[derive(Clone, Copy)]
pub struct Choice {
    pub binarize: Binarize,
    /// Why, where the user did not say and the images leave a choice.
    why: Option<&'static str>,
}

impl Choice {
    /// The given option, or else the default for this set.
    pub fn of(given: Option<Binarize>, set: &ImageSet) -> Choice {
        let (binarize, why) = given.map_or_else(|| set.usual(), |given| (given, None));
        Choice { binarize, why }
    }

    /// Says what was chosen for the user, and why.
    pub fn say(&self, common: &Common) {
        if let Some(why) = self.why {
            let name = self.binarize.name();
            common.say(&format!("Taking --binarize {name}: {why}"));
        }
    }
}

impl Common {
    /// Shows how far the reading of a set is.
    pub fn watch(&self) -> impl FnMut(Progress<'_>) + use<> {
        let quiet = self.quiet;
        let mut meter = None;
        move |progress| match progress {
            Progress::Decode { done, of } => {
                let start = || Meter::new("Reading images", quiet);
                meter.get_or_insert_with(start).show(done, of);
            }
            Progress::Download { url, done, of } => {
                if done == 0 {
                    if !quiet {
                        say(&format!("Downloading {url} ({:.1} MB)", of as f64 / 1e6));
                    }
                    meter = None;
                }
                let start = || Meter::new("Downloading, KiB", quiet);
                let [done, of] = [done, of].map(|bytes| bytes.div_ceil(1024) as usize);
                meter.get_or_insert_with(start).show(done, of);
            }
            Progress::Note(_) if quiet => {}
            Progress::Note(text) => say(&format!("note: {text}")),
        }
    }
}

/// The images that a model was trained on.
pub struct Own {
    /// Where they may be, the likeliest place first.
    pub sources: Vec<String>,
    pub prepare: Prepare,
}

impl Own {
    /// What the run says whose folder the model lies in, else what the model file says.
    ///
    /// # Errors
    ///
    /// Where neither does.
    pub fn of(path: &Path, stored: &Stored) -> anyhow::Result<Own> {
        let folder = path.parent().unwrap_or(Path::new(""));
        let run = RunConfig::read(&folder.join(run::CONFIG)).ok();
        if let Some(run) = run.filter(|run| stored.is_of(&run.model_config())) {
            return Ok(Own {
                sources: run.sources(folder),
                prepare: run.prepare,
            });
        }
        let name = match stored.data() {
            Some(name) if known::by_name(name).is_some() => name,
            None if !stored.has_config() => mnist::NAME,
            _ => bail!(
                "{} does not say which images it was trained on, and lies in no run folder that \
                 does: give --data",
                path.display()
            ),
        };
        Ok(Own {
            sources: vec![name.to_owned()],
            prepare: Prepare::default(),
        })
    }
}

/// Whether the user named the images, or a file of the run does.
#[derive(Clone, Copy, PartialEq)]
pub enum Named {
    ByUser,
    ByRun,
}

/// Tells which path is about to be read because `config.json` says so: a run folder from elsewhere
/// must not do that unnoticed.
fn say_where(source: &str, common: &Common) {
    // Windows spells canonical paths in a way that few people know.
    let whole = if cfg!(windows) {
        std::path::absolute(source)
    } else {
        fs::canonicalize(source)
    };
    let is_path = known::by_name(source).is_none();
    if let Some(path) = whole.ok().filter(|path| is_path && path.exists()) {
        let path = path.display();
        common.say(&format!("Data: {path}, as the run's config.json says"));
    }
}

/// The first of the sources that is there, and which it is.
pub fn load_any(
    sources: &[String],
    named: Named,
    binarize: Binarize,
    prepare: &Prepare,
    common: &Common,
) -> anyhow::Result<(ImageSet, String)> {
    let mut missing = None;
    for source in sources {
        if named == Named::ByRun {
            say_where(source, common);
        }
        match data::load_prepared(source, binarize, prepare, &mut common.watch()) {
            Ok(set) => return Ok((set, source.clone())),
            Err(e @ DataError::SourceMissing { .. }) => {
                missing.get_or_insert(e);
            }
            Err(e) => return Err(e.into()),
        }
    }
    let error = missing.map(anyhow::Error::from);
    let error = error.unwrap_or_else(|| anyhow::anyhow!("the run names no data"));
    Err(error).context("the images of the run are gone; give their new place with --data")
}
