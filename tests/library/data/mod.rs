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
mod packed;
mod prepare;
mod shards;

use std::path::Path;

use cvae_gpu::data::{self, Binarize, DataError, ImageSet, Prepare};

/// The set at a path, with the values that it has there.
fn load(path: &Path) -> Result<ImageSet, DataError> {
    load_prepared(path, &Prepare::default())
}

fn load_prepared(path: &Path, prepare: &Prepare) -> Result<ImageSet, DataError> {
    let source = path.to_str().unwrap();
    data::load_prepared(source, Binarize::None, prepare, &mut |_| ())
}

/// The message of the error that loading the set gives.
fn refused(path: &Path) -> String {
    load(path).unwrap_err().to_string()
}
