//! A folder of images, of any kind that the `image` crate reads.
//!
//! Subfolders `train` and `test` are the two splits, and other files are ignored; without them a part
//! is held out. Images may be nested and are ordered by path. If all of them lie in subfolders, the
//! names of these are the classes, and labels number the classes in order. Hidden files are skipped, and
//! files that are no images are left out. Images that cannot be decoded are an error that names all of
//! them, unless they are to be left out too.
//!
//! Several images are decoded at a time, and those of a large folder are kept for the next time. Files
//! are untrusted: decoders have limits.

mod decode;
mod jpeg;
mod kept;
pub mod shards;
mod stack;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use super::pixels::{self, Parts};
use crate::data::{DataError, Listener, Order, Prepare, Progress, Split};
use decode::Failed;
use kept::{Found, Kept};
use stack::Stack;

/// Deepest nesting of folders; a link can make a cycle.
const DEEPEST: usize = 16;
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
    let paths: Vec<PathBuf> = images.iter().map(|(root, name)| root.join(name)).collect();
    let kept = Kept::of(folder, prepare, &paths);
    let found = match kept.as_ref().and_then(|kept| kept.read()) {
        Some(found) => {
            listener(Progress::Note(
                "the images were decoded before and come from the cache",
            ));
            found
        }
        None => {
            let found = decoded(folder, &paths, prepare, listener)?;
            // Without room in the cache they are decoded again.
            if let Some(kept) = kept {
                let _ = kept.write(&found);
            }
            found
        }
    };
    for note in &found.notes {
        listener(Progress::Note(note));
    }
    let (of, taken) = (images.len(), &found.taken);
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
    let names: Vec<&Path> = images.iter().map(|(_, name)| name.as_path()).collect();
    let mut classes: Vec<&OsStr> = names.iter().filter_map(|name| class(name)).collect();
    prepare.order.sort(&mut classes);
    classes.dedup();
    let places: HashMap<&OsStr, u32> = classes.iter().copied().zip(0..).collect();
    // Either all images have a label or none has.
    let labels = names
        .iter()
        .map(|name| Some(places[class(name)?]))
        .collect();
    let named = names.iter().map(|name| name.to_string_lossy().into_owned());
    let all = Split {
        names: Some(named.collect()),
        ..pixels::split(found.shape, found.bytes, labels)
    };
    let stray = names.iter().find(|name| class(name).is_none());
    if let Some(stray) = stray.filter(|_| !classes.is_empty()) {
        listener(Progress::Note(&format!(
            "the images get no labels: some are in folders of classes, but others, such as {}, \
             are not",
            stray.display()
        )));
        classes.clear();
    }
    let two = is_split.then(|| all.parted(|i| i >= train_count));
    let parts = two.flatten().map_or(Parts::One(all), Parts::Two);
    let classes = classes
        .iter()
        .map(|class| class.to_string_lossy().into_owned());
    Ok((parts, classes.collect()))
}

/// Decodes the images of a folder.
fn decoded(
    folder: &Path,
    paths: &[PathBuf],
    prepare: &Prepare,
    listener: &mut Listener<'_>,
) -> Result<Found, DataError> {
    let of = paths.len();
    let mut stack = Stack::new(prepare);
    let (mut others, mut broken) = (Vec::new(), Vec::new());
    let mut taken = Vec::with_capacity(of);
    listener(Progress::Decode { done: 0, of });
    decode::all(paths, prepare, &mut |i, outcome| {
        let path = &paths[i];
        let outcome = outcome?;
        taken.push(outcome.is_ok());
        match outcome {
            Ok(image) => stack.push(path, image)?,
            Err(Failed::NoImage) => others.push(path.clone()),
            Err(Failed::Broken(reason)) => broken.push((path.clone(), reason)),
        }
        listener(Progress::Decode { done: i + 1, of });
        Ok(())
    })?;
    if !broken.is_empty() && !prepare.skip_broken {
        return Err(DataError::Broken(folder.into(), broken));
    }
    Ok(Found {
        notes: notes(&others, &broken, &stack),
        taken,
        shape: stack.shape,
        bytes: stack.values.finish()?,
    })
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
    notes.extend(stack.note());
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
            if is_debris(&name) {
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

/// True for hidden files, and for those of file managers.
fn is_debris(name: &OsStr) -> bool {
    let text = name.to_string_lossy().to_lowercase();
    text.starts_with('.') || DEBRIS.contains(&text.as_str())
}

/// The first folder in the path of a file.
fn class(name: &Path) -> Option<&OsStr> {
    let mut parts = name.components();
    let first = parts.next()?.as_os_str();
    parts.next().map(|_| first)
}
