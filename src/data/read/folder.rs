//! A folder of images, of any kind that the `image` crate reads.
//!
//! Subfolders `train` and `test` are the two splits, and other files are ignored; without them a part
//! is held out. Images may be nested and are ordered by path. If all of them lie in subfolders, the
//! names of these are the classes, and labels number the classes in order. Hidden files are skipped;
//! any other file must be an image.
//!
//! Files are untrusted: decoders have limits, and only one image is decoded at a time.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Luma, Rgb};

use super::pixels::{self, Parts, Pixels};
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
            return Err(DataError::at(root)(
                "there are no images in it, nor IDX or CIFAR-10 files; give the folder that holds \
                 them",
            ));
        }
    }
    let of = images.len();
    let mut stack = Stack {
        prepare,
        first: PathBuf::new(),
        images: Pixels {
            shape: [0, 0, prepare.channels.unwrap_or(1)],
            values: Vec::new(),
            labels: None,
        },
    };
    for (done, (root, name)) in images.iter().enumerate() {
        listener(Progress::Decode { done, of });
        stack.push(root.join(name))?;
    }
    listener(Progress::Decode { done: of, of });
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
    images: Pixels,
}

impl Stack<'_> {
    fn push(&mut self, path: PathBuf) -> Result<(), DataError> {
        let image = decode(&path)?;
        let found = [image.height() as usize, image.width() as usize];
        let size = self.prepare.size.map_or(found, |n| [n, n]);
        let Pixels { shape, values, .. } = &mut self.images;
        if values.is_empty() {
            shape[..2].copy_from_slice(&size);
            self.first = path;
        } else if shape[..2] != size {
            let [size, first] = [&size, &shape[..2]].map(|s| format!("{}×{}", s[0], s[1]));
            return Err(DataError::MixedSizes(path, size, self.first.clone(), first));
        }
        let colours = on_black(image);
        let mut pixels = colours.as_chunks().0.iter();
        if self.prepare.channels.is_none()
            && shape[2] == 1
            && !pixels.all(|[r, g, b]| r == g && g == b)
        {
            *values = pixels::repeated(values, 3).collect();
            shape[2] = 3;
        }
        values.extend(if shape[2] == 1 {
            pixels::resized::<Luma<u8>>(pixels::grey(&colours).collect(), found, size)
        } else {
            pixels::resized::<Rgb<u8>>(colours, found, size)
        });
        Ok(())
    }
}

/// Decodes an image and applies its orientation; of several frames, the first.
fn decode(path: &Path) -> Result<DynamicImage, DataError> {
    let broken = |reason: String| {
        DataError::at(path)(format!(
            "the image cannot be decoded ({reason}); repair or remove it"
        ))
    };
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
    if reader.format().is_none() {
        return Err(DataError::at(path)(
            "this is no image of a known kind (BMP, GIF, JPEG, PNG, PNM, QOI, TGA, TIFF, WebP); \
             remove it from the folder, or convert it",
        ));
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
