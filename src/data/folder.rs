//! A folder of images, of any kind that the `image` crate reads.
//!
//! Where it has subfolders `train` and `test`, these are the two parts of the set, and anything
//! beside them is left alone; otherwise a part is held out. Images lie at any depth, in the order
//! of their paths. If all of them lie in subfolders, the names of these are classes, and labels
//! count the classes in their order. Hidden files are passed over; any other file must be an
//! image.
//!
//! Every file is untrusted: decoders are limited, and only one image is decoded at a time.

use std::collections::BTreeSet;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::pixels::{self, Pixels};
use super::{DataError, Listener, Prepare, Progress};
use crate::regular;

/// Folders within folders; a link that leads back to where it lies would never end.
const DEEPEST: usize = 16;
/// Pixels along a side of an image before it is resized.
const LARGEST_SIDE: u32 = 1 << 15;
/// Bytes that decoding an image may take.
const MOST_BYTES: u64 = 512 << 20;
/// What file managers leave in folders.
const DEBRIS: [&str; 2] = ["thumbs.db", "desktop.ini"];

/// The images of a folder, as they are found.
pub(super) enum Parts {
    /// In subfolders `train` and `test`.
    Two([Pixels; 2]),
    /// All in one.
    One(Pixels),
}

/// Reads and prepares the images of a folder; they have no test fraction taken yet.
pub(super) fn read(
    folder: &Path,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<Parts, DataError> {
    let parts = ["train", "test"].map(|name| folder.join(name));
    let is_split = parts.iter().all(|part| part.is_dir());
    let roots = if is_split {
        &parts[..]
    } else {
        &[folder.to_owned()]
    };
    let lists = roots.iter().map(|root| list(root));
    let lists = lists.collect::<Result<Vec<Vec<PathBuf>>, _>>()?;
    for (root, list) in roots.iter().zip(&lists) {
        if list.is_empty() {
            let folder = root.clone();
            return Err(DataError::NoImages { folder });
        }
    }
    let classes = classes(&lists);
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
    let labels = classes.map(|classes| {
        let class = |name: &PathBuf| name.components().next().map(|c| c.as_os_str().to_owned());
        // A folder has few classes, and each was found there.
        let label = |name| classes.iter().position(|c| Some(c) == class(name).as_ref());
        lists
            .iter()
            .flatten()
            .map(|name| label(name).unwrap_or(0) as u8)
            .collect()
    });
    let all = stack.into_pixels(labels);
    Ok(if is_split {
        Parts::Two(all.split_at(lists[0].len()))
    } else {
        Parts::One(all)
    })
}

/// The files in and below a folder, from there, in order.
fn list(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let here = root.join(&folder);
        let failed = |reason| DataError::Io {
            path: here.clone(),
            reason,
        };
        if folder.components().count() > DEEPEST {
            return Err(DataError::TooDeep { folder: here });
        }
        for entry in fs::read_dir(&here).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
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
    files.sort_unstable();
    Ok(files)
}

/// The classes, if every file lies in a subfolder and a byte can count them.
fn classes(lists: &[Vec<PathBuf>]) -> Option<Vec<std::ffi::OsString>> {
    let class = |name: &PathBuf| {
        let mut parts = name.components();
        let first = parts.next()?.as_os_str().to_owned();
        parts.next().map(|_| first)
    };
    let classes: Option<BTreeSet<_>> = lists.iter().flatten().map(class).collect();
    classes
        .filter(|classes| classes.len() <= 256)
        .map(|classes| classes.into_iter().collect())
}

/// Images one upon the other: grey until one of them shows a colour, unless told what to be.
struct Stack {
    prepare: Prepare,
    /// The first image and its height and width, which the others must share.
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
            self.values.extend(pixels::resized_grey(grey, found, size));
        } else {
            self.values
                .extend(pixels::resized_colour(colours, found, size));
        }
        Ok(())
    }

    fn into_pixels(self, labels: Option<Vec<u8>>) -> Pixels {
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

/// An image as it is meant to be looked at; the first one where there are several.
fn decode(path: &Path) -> Result<DynamicImage, DataError> {
    let io = |reason| DataError::Io {
        path: path.into(),
        reason,
    };
    let broken = |reason: String| DataError::BrokenImage {
        path: path.into(),
        reason,
    };
    let file = regular::open(path).map_err(io)?;
    let mut reader = ImageReader::new(BufReader::new(file));
    // Some kinds are told by their extension alone.
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
    // What cannot be told is taken as it lies.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| broken(e.to_string()))?;
    image.apply_orientation(orientation);
    Ok(image)
}

/// The colours, a byte each; what is transparent shows black, as there is no ink.
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
