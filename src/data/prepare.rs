//! Preparation of images while loading, and its progress reports.

use serde::{Deserialize, Serialize};

use super::Order;

/// Default part of a set that is held out.
pub const TEST_FRACTION: f64 = 0.1;

/// The range of [`Prepare::size`], that of models.
const SIZES: std::ops::RangeInclusive<usize> = 4..=512;

/// How the images of a set are prepared. The default leaves them as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prepare {
    /// Resize images to squares of this many pixels per side; the aspect ratio is not kept.
    pub size: Option<usize>,
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
        if let Some(size) = self.size
            && !SIZES.contains(&size)
        {
            let (least, most) = (SIZES.start(), SIZES.end());
            return Err(format!(
                "a size of {size}; give a number from {least} to {most}"
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
}

/// Receives progress reports.
pub type Listener<'a> = dyn FnMut(Progress<'_>) + 'a;
