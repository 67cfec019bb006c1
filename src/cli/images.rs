//! The images of a command: source, preparation, and messages while reading.

use std::fs;
use std::path::{Path, PathBuf};
use std::slice;
use std::str::FromStr;

use anyhow::{Context, anyhow, bail};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueHint};
use cvae_gpu::data::{
    self, Binarize, DataError, Depth, Fit, ImageSet, Prepare, Progress, Size, known, mnist,
};
use cvae_gpu::run::{self, config::RunConfig};
use cvae_gpu::saved::Stored;

use super::choices::{ImageSize, image_size};
use super::common::Common;

/// What `--data` takes, for help and messages. README.md and docs/data.md have the same list.
macro_rules! sources {
    () => {
        "a folder of images, shards of WebDataset (.tar, .tar.gz), NumPy arrays (.npy, .npz), a folder of IDX \
         files, CIFAR-10's binary files, a packed set, or a name (`cvae-gpu data list`)"
    };
}
pub(crate) use sources;

/// Preparation of images.
#[derive(Args, Clone, Default)]
pub struct PrepareArgs {
    /// Resize images to N×N pixels, or to height and width
    #[arg(long, value_name = "N|H,W", value_parser = |t: &str| checked(t.parse()?, |p, n| p.size = Some(n)), help_heading = "Data")]
    size: Option<Size>,
    /// What --size does to images of another aspect ratio [default: stretch]
    #[arg(long, value_parser = fit(), help_heading = "Data")]
    fit: Option<Fit>,
    /// Colour behind transparent parts and beside padded images: black, white, or #RRGGBB [default: black]
    #[arg(long, value_name = "COLOUR", value_parser = colour, help_heading = "Data")]
    background: Option<Colour>,
    /// Leave out images of a folder that cannot be decoded
    #[arg(long, help_heading = "Data")]
    skip_broken: bool,
    /// Convert images to grey (1) or colour (3) [default: as they are; a folder is colour if any image in it is]
    #[arg(long, value_name = "1|3", value_parser = |t: &str| valid(t, |p, n| p.channels = Some(n)), help_heading = "Data")]
    channels: Option<usize>,
    /// Array of an .npz archive that holds the images [default: found by name]
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    array: Option<String>,
    /// File of the labels: .npy, or a table of a label per image in order, or of files and labels
    #[arg(long, value_name = "FILE.csv|FILE.npy", value_hint = ValueHint::FilePath, help_heading = "Data")]
    labels: Option<PathBuf>,
    /// Height, width and, unless 1, channels of images that are rows of an array
    #[arg(long, value_name = "H,W[,C]", value_parser = rows_of, help_heading = "Data")]
    image_size: Option<ImageSize>,
    /// Part to hold out if a set has no test images, taken at even distances [default: 0.1]
    #[arg(long, value_name = "F", value_parser = |t: &str| valid(t, |p, n| p.test_fraction = Some(n)), help_heading = "Data")]
    test_fraction: Option<f64>,
}

/// Parses and validates a number of a preparation.
fn valid<T: Copy + FromStr>(text: &str, set: fn(&mut Prepare, T)) -> Result<T, String> {
    let number = text.parse().map_err(|_| "give a number")?;
    checked(number, set)
}

/// Validates an option of a preparation.
fn checked<T: Copy>(number: T, set: fn(&mut Prepare, T)) -> Result<T, String> {
    let mut prepare = Prepare::default();
    set(&mut prepare, number);
    prepare.validate()?;
    Ok(number)
}

/// Red, green and blue.
#[derive(Clone, Copy, Debug)]
struct Colour([u8; 3]);

fn colour(text: &str) -> Result<Colour, String> {
    match text {
        "black" => return Ok(Colour([0; 3])),
        "white" => return Ok(Colour([255; 3])),
        _ => {}
    }
    let digits = text.strip_prefix('#').unwrap_or(text);
    let number = u32::from_str_radix(digits, 16).ok();
    let [_, colours @ ..] = number
        .filter(|_| digits.len() == 6 && !digits.starts_with('+'))
        .ok_or("give black, white, or a colour such as #ff8000")?
        .to_be_bytes();
    Ok(Colour(colours))
}

/// How images are fitted to another aspect ratio.
fn fit() -> impl TypedValueParser<Value = Fit> {
    let values = [
        (Fit::Stretch, "Do not keep the aspect ratio"),
        (Fit::Crop, "Cut off the ends of the longer side"),
        (Fit::Pad, "Add background at the ends of the shorter side"),
    ];
    let named = values.map(|(fit, help)| PossibleValue::new(fit.name()).help(help));
    PossibleValuesParser::new(named).map(move |name| {
        let found = values.iter().find(|(fit, _)| fit.name() == name);
        found.map_or(Fit::default(), |(fit, _)| *fit)
    })
}

/// The size of images that are rows of numbers.
fn rows_of(text: &str) -> Result<ImageSize, String> {
    checked(image_size(text)?, |prepare, size| {
        prepare.image_size = Some(size.0)
    })
}

impl PrepareArgs {
    /// `base` with the given options.
    pub fn over(&self, base: &Prepare) -> Prepare {
        // A run may be resumed from another folder.
        let labels = self.labels.as_ref();
        let labels = labels.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
        Prepare {
            size: self.size.or(base.size),
            fit: self.fit.unwrap_or(base.fit),
            background: self.background.map(|colour| colour.0).or(base.background),
            array: self.array.clone().or_else(|| base.array.clone()),
            labels: labels.or_else(|| base.labels.clone()),
            skip_broken: self.skip_broken || base.skip_broken,
            image_size: self.image_size.map(|size| size.0).or(base.image_size),
            channels: self.channels.or(base.channels),
            test_fraction: self.test_fraction.or(base.test_fraction),
            order: base.order,
        }
    }

    /// Whether an option that is [unused](Progress::Unused) was given.
    fn gives(&self, option: &str) -> bool {
        match option {
            "fit" => self.fit.is_some(),
            "background" => self.background.is_some(),
            "skip-broken" => self.skip_broken,
            "array" => self.array.is_some(),
            "image-size" => self.image_size.is_some(),
            _ => true,
        }
    }
}

/// The option that keeps grey levels.
pub const KEEP: &str = "--binarize none";

/// The chosen binarization.
#[derive(Clone, Copy)]
pub struct Choice {
    pub binarize: Binarize,
    /// The reason for a default.
    why: Option<&'static str>,
    /// Grey levels are to be kept, but there are none.
    is_unused: bool,
}

impl Choice {
    /// The given option, or else that of the chosen model, or else the default for this set.
    pub fn of(
        given: Option<Binarize>,
        of_model: Option<Binarize>,
        set: &ImageSet,
    ) -> Result<Choice, DataError> {
        let depth = set.train.images.depth();
        let has_grey = depth == Depth::Byte;
        let is_unused = given == Some(Binarize::None) && depth == Depth::Bit;
        let (binarize, why) = match (given, of_model) {
            (Some(given), _) => (given, None),
            (None, Some(own)) if has_grey => (own, Some("it belongs to the model")),
            _ => set.usual()?,
        };
        Ok(Choice {
            binarize,
            why,
            is_unused,
        })
    }

    /// Says that the flag that keeps grey levels has no effect, if so.
    pub fn say_unused(&self, flag: &str, common: &Common) {
        if self.is_unused {
            let on = "images that are stored as bits";
            common.say(&format!("note: {flag} has no effect on {on}"));
        }
    }

    /// Prints a default and its reason.
    pub fn say(&self, common: &Common) {
        if let Some(why) = self.why {
            let name = self.binarize.name();
            common.say(&format!("Taking --binarize {name}: {why}"));
        }
    }
}

impl Common {
    /// Shows the progress of loading a set; options that were not `given` are not spoken of.
    pub fn watch(&self, given: &PrepareArgs) -> impl FnMut(Progress<'_>) {
        let mut meter = None;
        move |progress| match progress {
            Progress::Decode { done, of } => {
                meter.get_or_insert_with(|| self.meter("Reading images"))(done, of);
            }
            Progress::Download { url, done, of } => {
                if done == 0 {
                    self.say(&format!("Downloading {url} ({:.1} MB)", of as f64 / 1e6));
                    meter = None;
                }
                let [done, of] = [done, of].map(|bytes| bytes.div_ceil(1024) as usize);
                meter.get_or_insert_with(|| self.meter("Downloading, KiB"))(done, of);
            }
            Progress::Note(text) => self.say(&format!("note: {text}")),
            Progress::Unused { option, .. } if !given.gives(option) => {}
            Progress::Unused { option, source } => {
                let on = match option {
                    "fit" => "without --size".to_owned(),
                    "image-size" => format!("on {source}; --size resizes"),
                    _ => format!("on {source}"),
                };
                self.say(&format!("note: --{option} has no effect {on}"));
            }
        }
    }
}

/// The images that a model was trained on: the places to search, the likeliest first, and their
/// preparation. The run in the model's folder names them, else the model file does.
pub fn own_images(path: &Path, stored: &Stored) -> anyhow::Result<(Vec<String>, Prepare)> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let run = RunConfig::read(&folder.join(run::CONFIG)).ok();
    if let Some(run) = run.filter(|run| stored.is_of(&run.model_config())) {
        return Ok((run.sources(folder), run.prepare));
    }
    let name = match stored.config().and_then(|config| config.data.as_deref()) {
        Some(name) if known::by_name(name).is_some() => name,
        None if stored.config().is_none() => mnist::NAME,
        _ => bail!(
            "{} does not name the images it was trained on, and neither does its folder: give \
             --data",
            path.display()
        ),
    };
    Ok((vec![name.to_owned()], Prepare::default()))
}

/// A source's path, which no output may overwrite; `None` for a known set.
pub fn as_path(source: &str) -> Option<&Path> {
    known::by_name(source).is_none().then(|| Path::new(source))
}

/// Prints the path from `config.json` before it is read, since a run folder may be untrusted.
fn say_where(source: &str, common: &Common) {
    // Canonical paths on Windows have an unfamiliar prefix.
    let whole = if cfg!(windows) {
        std::path::absolute(source)
    } else {
        fs::canonicalize(source)
    };
    let is_path = as_path(source).is_some();
    if let Some(path) = whole.ok().filter(|path| is_path && path.exists()) {
        let path = path.display();
        common.say(&format!("Data: {path}, as the run's config.json says"));
    }
}

/// Loads the images that the user gave, else the first of a run's `sources` that exists, and returns
/// their source.
pub fn load_any(
    given: Option<&String>,
    sources: &[String],
    binarize: Binarize,
    (prepare, args): (&Prepare, &PrepareArgs),
    common: &Common,
) -> anyhow::Result<(ImageSet, String)> {
    let mut missing = None;
    for source in given.map_or(sources, slice::from_ref) {
        if given.is_none() {
            say_where(source, common);
        }
        match data::load_prepared(source, binarize, prepare, &mut common.watch(args)) {
            Ok(set) => return Ok((set, source.clone())),
            Err(e @ DataError::SourceMissing { .. }) => {
                missing.get_or_insert(e);
            }
            Err(e) => return Err(e.into()),
        }
    }
    let error = missing.map_or_else(|| anyhow!("the run names no data"), anyhow::Error::from);
    Err(error).context("the images of the run are gone; give their new path with --data")
}
