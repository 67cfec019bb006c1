//! A folder of images, of any kind that the `image` crate reads.
//!
//! Subfolders `train` and `test` are the two splits, and other files are ignored; without them a part
//! is held out. Images may be nested and are ordered by path. If all of them lie in subfolders, the
//! names of these are the classes, and labels number the classes in order. Hidden files are skipped, and
//! files that are no images are left out. Images that cannot be decoded are an error that names all of
//! them, unless they are to be left out too.
//!
//! Files are untrusted: decoders have limits, and only one image is decoded at a time.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Luma, Rgb};

use super::pixels::{self, Parts, Pixels};
use crate::data::{DataError, Listener, Order, Prepare, Progress, Size};
use crate::files::regular;

/// Deepest nesting of folders; a link can make a cycle.
const DEEPEST: usize = 16;
/// Most pixels per side of an image before it is resized.
const LARGEST_SIDE: u32 = 1 << 15;
/// Most bytes for decoding an image.
const MOST_BYTES: u64 = 512 << 20;
const NO_IMAGES: &str =
    "there are no images in it, nor IDX or CIFAR-10 files; give the folder that holds them";
/// Files that file managers leave in folders.
const DEBRIS: [&str; 2] = ["thumbs.db", "desktop.ini"];

/// Reads and prepares the images of a folder, and the names of their classes; no test images are held
/// out yet.
pub fn read(
    folder: &Path,
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<(Parts, Vec<String>), DataError> {
    let mut roots = ["train", "test"].map(|name| folder.join(name)).to_vec();
    let is_split = roots.iter().all(|root| root.is_dir());
    if !is_split {
        roots = vec![folder.to_owned()];
    }
    // Each image as its root and the path below it.
    let mut images = Vec::new();
    let mut train_count = 0;
    for root in &roots {
        train_count = images.len();
        let names = list(root, prepare.order)?.into_iter();
        images.extend(names.map(|name| (root, name)));
        if images.len() == train_count {
            return Err(DataError::at(root)(NO_IMAGES));
        }
    }
    let of = images.len();
    let mut stack = Stack {
        prepare,
        first: PathBuf::new(),
        coloured: Vec::new(),
        images: Pixels {
            shape: [0, 0, prepare.channels.unwrap_or(1)],
            values: Vec::new(),
            labels: None,
        },
    };
    let (mut others, mut broken) = (Vec::new(), Vec::new());
    let mut taken = Vec::with_capacity(of);
    for (done, (root, name)) in images.iter().enumerate() {
        listener(Progress::Decode { done, of });
        let path = root.join(name);
        let failed = match decode(&path)? {
            Ok(image) => {
                stack.push(path, image)?;
                None
            }
            Err(failed) => Some(failed),
        };
        taken.push(failed.is_none());
        match failed {
            Some(Failed::NoImage) => others.push(root.join(name)),
            Some(Failed::Broken(reason)) => broken.push((root.join(name), reason)),
            None => {}
        }
    }
    listener(Progress::Decode { done: of, of });
    if !broken.is_empty() && !prepare.skip_broken {
        return Err(DataError::Broken(folder.into(), broken));
    }
    for note in notes(&others, &broken, &stack) {
        listener(Progress::Note(&note));
    }
    let is_taken = |i: &usize| taken[*i];
    train_count = (0..train_count).filter(is_taken).count();
    let total = (0..of).filter(is_taken).count();
    let empty = match is_split {
        true => [train_count, total - train_count]
            .iter()
            .position(|n| *n == 0),
        false => (total == 0).then_some(0),
    };
    if let Some(part) = empty {
        return Err(DataError::at(&roots[part])(NO_IMAGES));
    }
    let mut kept = taken.iter();
    images.retain(|_| kept.next() == Some(&true));
    let mut all = stack.images;
    let names: Vec<&Path> = images.iter().map(|(_, name)| name.as_path()).collect();
    let mut classes: Vec<&OsStr> = names.iter().filter_map(|name| class(name)).collect();
    prepare.order.sort(&mut classes);
    classes.dedup();
    let places: HashMap<&OsStr, u32> = classes.iter().copied().zip(0..).collect();
    // Either all images have a label or none has.
    all.labels = names
        .iter()
        .map(|name| Some(places[class(name)?]))
        .collect();
    let stray = names.iter().find(|name| class(name).is_none());
    if let Some(stray) = stray.filter(|_| !classes.is_empty()) {
        listener(Progress::Note(&format!(
            "the images get no labels: some are in folders of classes, but others, such as {}, \
             are not",
            stray.display()
        )));
        classes.clear();
    }
    let parts = if is_split {
        Parts::Two(all.parted(|i| i >= train_count))
    } else {
        Parts::One(all)
    };
    let classes = classes
        .iter()
        .map(|class| class.to_string_lossy().into_owned());
    Ok((parts, classes.collect()))
}

/// What is to be said about a folder whose images are read.
fn notes(others: &[PathBuf], broken: &[(PathBuf, String)], stack: &Stack<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let are = |count: usize, one: &str, more: &str| match count {
        1 => format!("1 file is {one}"),
        _ => format!("{count} files are {more}"),
    };
    if let [first, ..] = others {
        let count = are(others.len(), "no image and is", "no images and are");
        notes.push(format!("{count} left out, the first: {}", first.display()));
    }
    if let [(first, reason), ..] = broken {
        let count = are(broken.len(), "broken and is", "broken and are");
        let first = first.display();
        notes.push(format!("{count} left out, the first: {first} ({reason})"));
    }
    let count = stack.images.values.len() / stack.images.shape.iter().product::<usize>().max(1);
    if let [first, ..] = &stack.coloured[..]
        && stack.prepare.channels.is_none()
        && stack.coloured.len() * 10 <= count
    {
        notes.push(format!(
            "the images are in colour because of {} of {count}, the first: {}",
            stack.coloured.len(),
            first.display()
        ));
    }
    notes
}

/// The files in and below a folder in order, as paths relative to it.
fn list(root: &Path, order: Order) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let here = root.join(&folder);
        if folder.components().count() > DEEPEST {
            return Err(DataError::at(&here)(
                "too many nested folders, perhaps by a link that leads back; remove it, or move \
                 the images up",
            ));
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

/// Images that are added one by one: grey until one of them has a colour, unless the channels are
/// given.
struct Stack<'a> {
    prepare: &'a Prepare,
    /// The first image; the others must have the same size.
    first: PathBuf,
    /// Images that have colours.
    coloured: Vec<PathBuf>,
    images: Pixels,
}

impl Stack<'_> {
    fn push(&mut self, path: PathBuf, image: DynamicImage) -> Result<(), DataError> {
        let Prepare { fit, channels, .. } = *self.prepare;
        let found = [image.height() as usize, image.width() as usize];
        let size = self.prepare.size.map_or(found, Size::sides);
        let Pixels { shape, values, .. } = &mut self.images;
        if values.is_empty() {
            shape[..2].copy_from_slice(&size);
            self.first.clone_from(&path);
        } else if shape[..2] != size {
            let [size, first] = [&size, &shape[..2]].map(|s| format!("{}×{}", s[0], s[1]));
            return Err(DataError::MixedSizes(path, size, self.first.clone(), first));
        }
        let edge = pixels::edge(self.prepare);
        let colours = over(edge, image);
        let mut pixels = colours.as_chunks().0.iter();
        if channels.is_none() && !pixels.all(|[r, g, b]| r == g && g == b) {
            if shape[2] == 1 {
                *values = pixels::repeated(values, 3).collect();
                shape[2] = 3;
            }
            self.coloured.push(path);
        }
        values.extend(if shape[2] == 1 {
            let edge = Luma(pixels::edge_grey(self.prepare));
            pixels::resized(pixels::grey(&colours).collect(), found, size, fit, edge)
        } else {
            pixels::resized(colours, found, size, fit, Rgb(edge))
        });
        Ok(())
    }
}

/// Why a file gives no image.
enum Failed {
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
fn decode(path: &Path) -> Result<Result<DynamicImage, Failed>, DataError> {
    let broken = |reason: String| Ok(Err(Failed::Broken(reason)));
    let file = regular::open(path).map_err(DataError::io(path))?;
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
    let reader = reader.with_guessed_format().map_err(DataError::io(path))?;
    if let None | Some(ImageFormat::Avif) = reader.format() {
        let mut start = Vec::new();
        let file = regular::open(path).map_err(DataError::io(path))?;
        let read = file.take(12).read_to_end(&mut start);
        read.map_err(DataError::io(path))?;
        let is_kind = |(mark, _): &&(&[u8], &str)| start.get(4..) == Some(*mark);
        return match NOT_DECODED.iter().find(is_kind) {
            Some((_, kind)) => broken(format!(
                "{kind} is not read: convert it to PNG or JPEG, as `magick mogrify -format png` does"
            )),
            None => Ok(Err(Failed::NoImage)),
        };
    }
    let mut decoder = match reader.into_decoder() {
        Ok(decoder) => decoder,
        Err(e) => return broken(e.to_string()),
    };
    let (width, height) = decoder.dimensions();
    if decoder.total_bytes() > MOST_BYTES {
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
