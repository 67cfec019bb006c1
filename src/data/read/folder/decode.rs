//! Decoding one image, and many on several threads.

use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Luma, Rgb};

use super::jpeg;
use crate::data::read::pixels;
use crate::data::{DataError, Fit, Prepare, Size};
use crate::files::regular;

/// Most pixels per side of an image before it is resized.
const LARGEST_SIDE: u32 = 1 << 15;
/// Most bytes for decoding an image.
const MOST_BYTES: u64 = 512 << 20;
/// Most characters of the reason why an image is broken.
const MOST_REASON: usize = 300;
/// Most images that are decoded at a time; each takes memory.
const MOST_THREADS: usize = 8;

/// An image of the set.
pub struct Decoded {
    /// Height and width.
    pub size: [usize; 2],
    /// Its pixels, or those beside it, are not all grey.
    pub is_coloured: bool,
    /// Grey or RGB bytes.
    pub bytes: Vec<u8>,
}

/// The image, or why there is none; an error where the file cannot be read.
pub type Outcome = Result<Result<Decoded, Failed>, DataError>;

/// An encoded image.
pub trait Encoded: Sync {
    /// The path that messages name.
    fn path(&self) -> &Path;

    /// Its content, from the first byte.
    fn open(&self) -> io::Result<impl BufRead + Seek>;
}

impl Encoded for PathBuf {
    fn path(&self) -> &Path {
        self
    }

    fn open(&self) -> io::Result<impl BufRead + Seek> {
        regular::open(self).map(BufReader::new)
    }
}

/// Decodes images on several threads and hands the outcomes on in order.
pub fn all<T: Encoded>(
    images: &[T],
    prepare: &Prepare,
    take: &mut dyn FnMut(usize, Outcome) -> Result<(), DataError>,
) -> Result<(), DataError> {
    const EACH: usize = 16;
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(MOST_THREADS);
    let mut done = 0;
    for batch in images.chunks(EACH * threads) {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut outcomes = Vec::new();
            while let i = next.fetch_add(1, Ordering::Relaxed)
                && let Some(image) = batch.get(i)
            {
                outcomes.push((i, one(image, prepare)));
            }
            outcomes
        };
        let mut outcomes = thread::scope(|scope| {
            // Where the system has no thread left, this one does the work.
            let helper = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
            let helpers: Vec<_> = (1..threads).filter_map(helper).collect();
            let mut outcomes = work();
            for helper in helpers {
                match helper.join() {
                    Ok(its) => outcomes.extend(its),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            outcomes
        });
        outcomes.sort_by_key(|(i, _)| *i);
        for (i, outcome) in outcomes {
            take(done + i, outcome)?;
        }
        done += batch.len();
    }
    Ok(())
}

/// Decodes and prepares an image.
fn one(image: &impl Encoded, prepare: &Prepare) -> Outcome {
    let image = match decode(image)? {
        Ok(image) => image,
        Err(failed) => return Ok(Err(failed)),
    };
    let Prepare { fit, channels, .. } = *prepare;
    let found = [image.height() as usize, image.width() as usize];
    let size = prepare.size.map_or(found, Size::sides);
    let edge = pixels::edge(prepare);
    let colours = over(edge, image);
    let is_grey = |[r, g, b]: &[u8; 3]| r == g && g == b;
    let is_padded = fit == Fit::Pad && found[0] * size[1] != found[1] * size[0];
    let all_grey = colours.as_chunks().0.iter().all(is_grey);
    let is_coloured = !all_grey || is_padded && !is_grey(&edge);
    let as_colours = channels.map_or(is_coloured, |channels| channels == 3);
    let bytes = if as_colours {
        pixels::resized(colours, found, size, fit, Rgb(edge))
    } else {
        let edge = Luma(pixels::edge_grey(prepare));
        pixels::resized(pixels::grey(&colours).collect(), found, size, fit, edge)
    };
    Ok(Ok(Decoded {
        size,
        is_coloured,
        bytes,
    }))
}

/// Why a file gives no image.
pub enum Failed {
    /// It is no image.
    NoImage,
    /// It cannot be decoded, for this reason.
    Broken(String),
}

/// Kinds of images that are not decoded, by what follows the length of their first box.
const NOT_DECODED: [(&[u8], &str); 5] = [
    (b"ftypheic", "HEIC"),
    (b"ftypheix", "HEIC"),
    (b"ftypmif1", "HEIC"),
    (b"ftypavif", "AVIF"),
    (b"ftypavis", "AVIF"),
];

/// Decodes an image and applies its orientation; of several frames, the first.
fn decode(image: &impl Encoded) -> Result<Result<DynamicImage, Failed>, DataError> {
    let broken = |reason: String| {
        let mut reason = reason.trim_end().to_owned();
        // Decoders quote files, as long as those like.
        let end = reason.char_indices().nth(MOST_REASON).map(|(end, _)| end);
        if let Some(end) = end {
            reason.truncate(end);
            reason.push('…');
        }
        Ok(Err(Failed::Broken(reason)))
    };
    let path = image.path();
    let open = || image.open().map_err(DataError::io(path));
    let mut reader = ImageReader::new(open()?);
    // Some kinds have no magic number, only an extension.
    if let Ok(format) = ImageFormat::from_path(path) {
        reader.set_format(format);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let reader = reader.with_guessed_format().map_err(DataError::io(path))?;
    if let None | Some(ImageFormat::Avif) = reader.format() {
        let mut start = Vec::new();
        let read = open()?.take(12).read_to_end(&mut start);
        read.map_err(DataError::io(path))?;
        let is_kind = |(mark, _): &&(&[u8], &str)| start.get(4..) == Some(*mark);
        return match NOT_DECODED.iter().find(is_kind) {
            Some((_, kind)) => broken(format!(
                "{kind} is not read: convert it to PNG or JPEG, as `magick mogrify -format png` does"
            )),
            None => Ok(Err(Failed::NoImage)),
        };
    }
    if reader.format() == Some(ImageFormat::Jpeg) {
        let fault = jpeg::fault(open()?).map_err(DataError::io(path))?;
        if let Some(fault) = fault {
            return broken(fault);
        }
    }
    let mut decoder = match reader.into_decoder() {
        Ok(decoder) => decoder,
        Err(e) => return broken(e.to_string()),
    };
    let (width, height) = decoder.dimensions();
    // As it is stored, and as colours.
    let colours = 3 * u64::from(width) * u64::from(height);
    if decoder.total_bytes().max(colours) > MOST_BYTES {
        return broken(format!("{height}×{width} pixels are too many"));
    }
    if width == 0 || height == 0 {
        return broken("it has no pixels".into());
    }
    // An image of unknown orientation stays as it is.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = match DynamicImage::from_decoder(decoder) {
        Ok(image) => image,
        Err(e) => return broken(e.to_string()),
    };
    image.apply_orientation(orientation);
    Ok(Ok(image))
}

/// The RGB bytes on a background.
fn over(background: [u8; 3], image: DynamicImage) -> Vec<u8> {
    if !image.color().has_alpha() {
        return image.into_rgb8().into_raw();
    }
    let image = image.into_rgba8();
    let mut bytes = Vec::with_capacity(3 * image.len() / 4);
    for [r, g, b, alpha] in image.pixels().map(|pixel| pixel.0) {
        let seen = |(v, behind): (u8, u8)| {
            let [own, other] = [alpha, 255 - alpha].map(u32::from);
            ((u32::from(v) * own + u32::from(behind) * other + 127) / 255) as u8
        };
        bytes.extend([r, g, b].into_iter().zip(background).map(seen));
    }
    bytes
}
