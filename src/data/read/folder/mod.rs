//! A folder of images, of any kind that the `image` crate reads.
//!
//! Subfolders `train` and `test` are the two splits, and other files are ignored; without them a part
//! is held out. Images may be nested and are ordered by path. If all of them lie in subfolders, the
//! names of these are the classes, and labels number the classes in order. Hidden files are skipped;
//! any other file must be an image.
//!
//! Files are untrusted: decoders have limits, and only one image is decoded at a time.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Luma, Rgb};

use super::pixels::{self, Pixels};
use crate::data::{DataError, Listener, Order, Prepare, Progress};
use crate::files::regular;

/// Deepest nesting of folders; a link can make a cycle.
const DEEPEST: usize = 16;
/// Most pixels per side of an image before it is resized.
const LARGEST_SIDE: u32 = 1 << 15;
/// Most bytes for decoding an image.
const MOST_BYTES: u64 = 512 << 20;
/// Files that file managers leave in folders.
const DEBRIS: [&str; 2] = ["thumbs.db", "desktop.ini"];

/// The content of a folder.
pub struct Found {
    pub parts: Parts,
    /// The names of the classes, label 0 first; empty without labels.
    pub classes: Vec<String>,
}

/// The images of a folder, by split.
pub enum Parts {
    /// In subfolders `train` and `test`.
    Two([Pixels; 2]),
    /// Without splits.
    One(Pixels),
}

/// Reads and prepares the images of a folder; no test images are held out yet.
pub fn read(
    folder: &Path,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<Found, DataError> {
    let parts = ["train", "test"].map(|name| folder.join(name));
    let is_split = parts.iter().all(|part| part.is_dir());
    let roots = if is_split {
        &parts[..]
    } else {
        &[folder.to_owned()]
    };
    let lists = roots.iter().map(|root| list(root, prepare.order));
    let lists = lists.collect::<Result<Vec<Vec<PathBuf>>, _>>()?;
    for (root, list) in roots.iter().zip(&lists) {
        if list.is_empty() {
            let folder = root.clone();
            return Err(DataError::NoImages { folder });
        }
    }
    let classes = classes(&lists, prepare.order);
    let beside = classes.as_ref().err().copied().flatten();
    let of = lists.iter().map(Vec::len).sum();
    let mut stack = Stack::new(*prepare);
    for (done, (root, name)) in (roots.iter().zip(&lists))
        .flat_map(|(root, list)| list.iter().map(move |name| (root, name)))
        .enumerate()
    {
        listener(Progress::Decode { done, of });
        stack.push(&root.join(name))?;
    }
    listener(Progress::Decode { done: of, of });
    if let Some(beside) = beside {
        listener(Progress::Note(&format!(
            "the images get no labels: some are in folders of classes, but others, such as {}, are not",
            beside.display()
        )));
    }
    let classes = classes.unwrap_or_default();
    let place: HashMap<&OsStr, u32> = classes.iter().map(OsString::as_os_str).zip(0..).collect();
    let label = |name: &PathBuf| class(name).and_then(|class| place.get(class).copied());
    // Either all images have a label or none has.
    let labels = lists.iter().flatten().map(label).collect();
    let all = stack.into_pixels(labels);
    Ok(Found {
        parts: if is_split {
            Parts::Two(all.split_at(lists[0].len()))
        } else {
            Parts::One(all)
        },
        classes: (classes.iter())
            .map(|class| class.to_string_lossy().into_owned())
            .collect(),
    })
}

/// The files in and below a folder in order, as paths relative to it.
fn list(root: &Path, order: Order) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let here = root.join(&folder);
        if folder.components().count() > DEEPEST {
            return Err(DataError::TooDeep { folder: here });
        }
        let failed = DataError::io(&here);
        for entry in fs::read_dir(&here).map_err(&failed)? {
            let name = entry.map_err(&failed)?.file_name();
            let text = name.to_string_lossy().to_lowercase();
            if text.starts_with('.') || DEBRIS.contains(&text.as_str()) {
                continue;
            }
            let name = folder.join(name);
            if root.join(&name).is_dir() {
                folders.push(name);
            } else {
                files.push(name);
            }
        }
    }
    order.sort(&mut files);
    Ok(files)
}

/// The first folder in the path of a file.
fn class(name: &Path) -> Option<&OsStr> {
    let mut parts = name.components();
    let first = parts.next()?.as_os_str();
    parts.next().map(|_| first)
}

/// The classes, if every file lies in a subfolder; else a file outside the subfolders, if there are
/// subfolders.
fn classes(lists: &[Vec<PathBuf>], order: Order) -> Result<Vec<OsString>, Option<&PathBuf>> {
    let files = || lists.iter().flatten();
    let classes: BTreeSet<&OsStr> = files().filter_map(|name| class(name)).collect();
    match files().find(|name| class(name).is_none()) {
        Some(beside) => Err((!classes.is_empty()).then_some(beside)),
        None => {
            let mut classes: Vec<OsString> = classes.into_iter().map(OsStr::to_owned).collect();
            order.sort(&mut classes);
            Ok(classes)
        }
    }
}

/// Concatenated images: grey until one of them has a colour, unless the channels are given.
struct Stack {
    prepare: Prepare,
    /// The first image and its height and width; the others must have the same size.
    first: Option<(PathBuf, [usize; 2])>,
    channels: usize,
    values: Vec<u8>,
}

impl Stack {
    fn new(prepare: Prepare) -> Self {
        Stack {
            prepare,
            first: None,
            channels: prepare.channels.unwrap_or(1),
            values: Vec::new(),
        }
    }

    fn push(&mut self, path: &Path) -> Result<(), DataError> {
        let image = decode(path)?;
        let found = [image.height() as usize, image.width() as usize];
        let size = self.prepare.size.map_or(found, |n| [n, n]);
        let (first, wanted) = self.first.get_or_insert_with(|| (path.into(), size));
        if size != *wanted {
            return Err(DataError::MixedSizes {
                path: path.into(),
                size: shown(size),
                first_path: first.clone(),
                first: shown(*wanted),
            });
        }
        let colours = on_black(image);
        let is_grey = colours
            .as_chunks()
            .0
            .iter()
            .all(|[r, g, b]| r == g && g == b);
        if self.prepare.channels.is_none() && self.channels == 1 && !is_grey {
            self.values = pixels::repeated(&self.values, 3).collect();
            self.channels = 3;
        }
        if self.channels == 1 {
            let grey = pixels::grey(&colours).collect();
            let grey = pixels::resized::<Luma<u8>>(grey, found, size);
            self.values.extend(grey);
        } else {
            let colours = pixels::resized::<Rgb<u8>>(colours, found, size);
            self.values.extend(colours);
        }
        Ok(())
    }

    fn into_pixels(self, labels: Option<Vec<u32>>) -> Pixels {
        let [height, width] = self.first.map_or([1, 1], |(_, size)| size);
        Pixels {
            shape: [height, width, self.channels],
            values: self.values,
            labels,
        }
    }
}

fn shown([height, width]: [usize; 2]) -> String {
    format!("{height}×{width}")
}

/// Decodes an image and applies its orientation; of several frames, the first.
fn decode(path: &Path) -> Result<DynamicImage, DataError> {
    let io = DataError::io(path);
    let broken = |reason: String| DataError::BrokenImage {
        path: path.into(),
        reason,
    };
    let file = regular::open(path).map_err(&io)?;
    let mut reader = ImageReader::new(BufReader::new(file));
    // Some kinds have no magic number, only an extension.
    if let Ok(format) = ImageFormat::from_path(path) {
        reader.set_format(format);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let reader = reader.with_guessed_format().map_err(io)?;
    if reader.format().is_none() {
        return Err(DataError::NotAnImage { path: path.into() });
    }
    let mut decoder = reader.into_decoder().map_err(|e| broken(e.to_string()))?;
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > MOST_BYTES {
        return Err(broken(format!("{height}×{width} pixels are too many")));
    }
    if width == 0 || height == 0 {
        return Err(broken("it has no pixels".into()));
    }
    // An image of unknown orientation stays as it is.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| broken(e.to_string()))?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// The RGB bytes on a black background.
fn on_black(image: DynamicImage) -> Vec<u8> {
    if !image.color().has_alpha() {
        return image.into_rgb8().into_raw();
    }
    let image = image.into_rgba8();
    let seen = |v: u8, alpha: u8| ((u32::from(v) * u32::from(alpha) + 127) / 255) as u8;
    let pixels = image.pixels().map(|pixel| pixel.0);
    pixels
        .flat_map(|[r, g, b, a]| [r, g, b].map(|v| seen(v, a)))
        .collect()
}

#[cfg(test)]
mod tests;
