//! `cvae_gpu::data`

mod array;
mod cifar;
mod folder;
mod idx;
mod images;
mod jpeg;
mod labels;
mod load;
mod memory;
mod npz;
mod order;
mod packed;
mod prepare;
mod shards;

use std::path::Path;

use cvae_gpu::data::{self, Binarize, DataError, ImageSet, Prepare, Progress};

/// The set at a path, with the values that it has there.
fn load(path: &Path) -> Result<ImageSet, DataError> {
    load_prepared(path, &Prepare::default())
}

fn load_prepared(path: &Path, prepare: &Prepare) -> Result<ImageSet, DataError> {
    let source = path.to_str().unwrap();
    data::load_prepared(source, Binarize::None, prepare, &mut |_| ())
}

/// The set, and the remarks on it.
fn load_with_notes(path: &Path, prepare: &Prepare) -> (Result<ImageSet, DataError>, Vec<String>) {
    let mut notes = Vec::new();
    let mut listener = |progress: Progress<'_>| {
        if let Progress::Note(text) = progress {
            notes.push(text.to_owned());
        }
    };
    let source = path.to_str().unwrap();
    let set = data::load_prepared(source, Binarize::None, prepare, &mut listener);
    (set, notes)
}

/// The message of the error that loading the set gives.
fn refused(path: &Path) -> String {
    load(path).unwrap_err().to_string()
}
