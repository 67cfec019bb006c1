//! Preparation of images while loading, and its progress reports.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Order;

/// Default part of a set that is held out.
pub const TEST_FRACTION: f64 = 0.1;

/// The range of [`Prepare::size`], that of models.
const SIZES: std::ops::RangeInclusive<usize> = 4..=512;

/// Height and width of images; one number for squares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// So many pixels per side.
    Square(usize),
    /// Height and width.
    Sides([usize; 2]),
}

impl Size {
    /// Height and width.
    pub fn sides(self) -> [usize; 2] {
        match self {
            Size::Square(side) => [side, side],
            Size::Sides(sides) => sides,
        }
    }
}

impl FromStr for Size {
    type Err = String;

    /// From `N` or `H,W`.
    fn from_str(text: &str) -> Result<Size, String> {
        let number = |text: &str| text.trim().parse().ok();
        let size = match text.split_once(',') {
            None => number(text).map(Size::Square),
            Some((h, w)) => number(h).zip(number(w)).map(|(h, w)| Size::Sides([h, w])),
        };
        size.ok_or_else(|| "give a number of pixels, or height and width such as 48,64".into())
    }
}

/// As in options: `N` or `H,W`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Square(side) => write!(f, "{side}"),
            Size::Sides([height, width]) => write!(f, "{height},{width}"),
        }
    }
}

/// What resizing does where the aspect ratio changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Fit {
    /// Stretches the image.
    #[default]
    Stretch,
    /// Cuts off the ends of the longer side.
    Crop,
    /// Adds background at the ends of the shorter side.
    Pad,
}

impl Fit {
    /// The name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Fit::Stretch => "stretch",
            Fit::Crop => "crop",
            Fit::Pad => "pad",
        }
    }

    fn is_usual(&self) -> bool {
        *self == Fit::default()
    }
}

/// How the images of a set are prepared. The default leaves them as they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prepare {
    /// Resize images to this size.
    pub size: Option<Size>,
    /// What that does to the aspect ratio.
    #[serde(skip_serializing_if = "Fit::is_usual")]
    pub fit: Fit,
    /// The colour behind transparent parts, and beside images that are padded; black by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<[u8; 3]>,
    /// Leave out images of a folder that cannot be decoded.
    #[serde(skip_serializing_if = "is_false")]
    pub skip_broken: bool,
    /// Name of the array of images in an archive of several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub array: Option<String>,
    /// File of the labels: an array of NumPy, or a table with commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<PathBuf>,
    /// Height, width and channels of images that are stored as rows of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<[usize; 3]>,
    /// Convert images to grey (1) or colour (3). By default the images of a folder are colour if any
    /// of them is, and other sets stay as they are.
    pub channels: Option<usize>,
    /// The part of the images, between 0 and 1, that is held out for evaluation where a set has no
    /// test images; [`TEST_FRACTION`] by default.
    pub test_fraction: Option<f64>,
    /// The order in which a folder is read.
    #[serde(default = "Order::of_old_runs")]
    pub order: Order,
}

fn is_false(value: &bool) -> bool {
    !value
}

impl Prepare {
    /// The preparation of runs whose configuration has none.
    pub(crate) fn of_old_runs() -> Prepare {
        Prepare {
            order: Order::of_old_runs(),
            ..Prepare::default()
        }
    }

    /// Checks values from a file.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn validate(&self) -> Result<(), String> {
        let (least, most) = (SIZES.start(), SIZES.end());
        let fits = |sides: &[usize]| sides.iter().all(|side| SIZES.contains(side));
        if let Some(size) = self.size
            && !fits(&size.sides())
        {
            return Err(format!(
                "a size of {size}; give numbers from {least} to {most}"
            ));
        }
        if let Some([height, width, channels]) = self.image_size
            && !(fits(&[height, width]) && [1, 3].contains(&channels))
        {
            return Err(format!(
                "images of {height}×{width}×{channels}; give height and width from {least} to \
                 {most}, and 1 or 3 channels"
            ));
        }
        if let Some(channels) = self.channels
            && ![1, 3].contains(&channels)
        {
            return Err(format!("{channels} channels; give 1 (grey) or 3 (colour)"));
        }
        if let Some(fraction) = self.test_fraction
            && !(fraction > 0.0 && fraction < 1.0)
        {
            return Err(format!(
                "a test fraction of {fraction}; give a number between 0 and 1, such as 0.1"
            ));
        }
        Ok(())
    }
}

/// Progress of loading a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Images of a folder are being decoded.
    Decode {
        /// Images that are done.
        done: usize,
        /// All images.
        of: usize,
    },
    /// A file is being downloaded; the first report of each has `done` at 0.
    Download {
        /// Its address.
        url: &'a str,
        /// Received bytes.
        done: u64,
        /// Bytes of the file.
        of: u64,
    },
    /// A remark about the images.
    Note(&'a str),
    /// An option of the preparation that changes nothing of this source.
    Unused {
        /// The option, in the words of the command line, such as `skip-broken`.
        option: &'static str,
        /// The kind of source, such as `IDX files`.
        source: &'static str,
    },
}

/// Receives progress reports.
pub type Listener<'a> = dyn FnMut(Progress<'_>) + 'a;
