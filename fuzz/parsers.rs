//! Every parser of external bytes, as a function of these bytes. The fuzzer calls them, and
//! `tests/corrupt` calls them with the corpus and with damaged files. The error is the user's message.

use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::Path;

use cvae_gpu::check::case::Case;
use cvae_gpu::data::{self, Binarize, Prepare};
use cvae_gpu::files::npy;
use cvae_gpu::files::tensors::TensorFile;
use cvae_gpu::model::{Filters, Model};
use cvae_gpu::run::config::RunConfig;
use cvae_gpu::saved::Stored;
use cvae_gpu::saved::checkpoint::{self, ModelConfig};
use flate2::{Compression, write::GzEncoder};

pub type Parser = fn(&[u8]) -> Result<(), String>;

/// The parsers by name. The folders of the corpus have the same names.
#[allow(dead_code, reason = "a fuzz target calls one of them")]
pub const ALL: [(&str, Parser); 11] = [
    ("array", array),
    ("case", case),
    ("checkpoint", checkpoint),
    ("config", config),
    ("idx", idx),
    ("image", image),
    ("labels", labels),
    ("model", model),
    ("packed", packed),
    ("set", set),
    ("table", table),
];

/// Images and labels of nine 8×8 images, as IDX.
pub const IMAGES: [&[u8]; 2] = [
    &[0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 8, 0, 0, 0, 8],
    &[200; 9 * 64],
];
pub const LABELS: [&[u8]; 2] = [&[0, 0, 8, 1, 0, 0, 0, 9], &[1; 9]];

/// The model of the checkpoints.
pub fn small_model() -> Model {
    let filters = Filters {
        image: [8, 8, 1],
        latent_dim: 2,
        encoder_filters: vec![3, 5],
        decoder_base: 2,
        decoder_filters: vec![4, 3],
        ..Filters::default()
    };
    filters.model()
}

fn said<T>(result: Result<T, impl Display>) -> Result<(), String> {
    result.map(drop).map_err(|e| e.to_string())
}

fn tensors(bytes: &[u8]) -> Result<TensorFile, String> {
    TensorFile::from_bytes(bytes).map_err(|e| e.to_string())
}

/// A `.npy` file of codes.
pub fn array(bytes: &[u8]) -> Result<(), String> {
    said(npy::from_bytes(bytes))
}

/// A recorded case.
pub fn case(bytes: &[u8]) -> Result<(), String> {
    said(Case::from_file("case", "case", tensors(bytes)?))
}

/// A checkpoint of [`small_model`].
pub fn checkpoint(bytes: &[u8]) -> Result<(), String> {
    let config = ModelConfig {
        model: small_model(),
        data: None,
        classes: Vec::new(),
        binarize: Some(Binarize::Threshold),
    };
    said(checkpoint::checkpoint_from(tensors(bytes)?, &config))
}

/// The `config.json` of a run.
pub fn config(bytes: &[u8]) -> Result<(), String> {
    said(RunConfig::from_bytes(bytes))
}

/// A model file, with or without its configuration.
pub fn model(bytes: &[u8]) -> Result<(), String> {
    let stored = Stored::new(Path::new("model"), tensors(bytes)?).map_err(|e| e.to_string())?;
    said(stored.open(None))
}

/// The images of a folder of IDX files.
pub fn idx(bytes: &[u8]) -> Result<(), String> {
    idx_folder(bytes, &LABELS.concat())
}

/// The labels of a folder of IDX files.
pub fn labels(bytes: &[u8]) -> Result<(), String> {
    idx_folder(&IMAGES.concat(), bytes)
}

fn idx_folder(images: &[u8], labels: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    for (name, bytes) in [
        ("train-images-idx3-ubyte", images),
        ("train-labels-idx1-ubyte", labels),
        ("t10k-images-idx3-ubyte", &IMAGES.concat()),
        ("t10k-labels-idx1-ubyte", &LABELS.concat()),
    ] {
        fs::write(folder.path().join(name), bytes).map_err(|e| e.to_string())?;
    }
    said(data::load(&folder.path().to_string_lossy(), Binarize::None))
}

/// A packed set. Compressing the bytes here gives them a valid gzip checksum.
pub fn packed(bytes: &[u8]) -> Result<(), String> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    let whole = written.map_err(|e| e.to_string())?;
    said(data::packed::read(&whole, Path::new("set")))
}

/// A set in one file of any format: packed, an array, an archive.
pub fn set(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let path = folder.path().join("set");
    fs::write(&path, bytes).map_err(|e| e.to_string())?;
    said(data::load(&path.to_string_lossy(), Binarize::None))
}

/// The only image of a folder, of any format.
pub fn image(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    fs::write(folder.path().join("image"), bytes).map_err(|e| e.to_string())?;
    said(data::load(&folder.path().to_string_lossy(), Binarize::None))
}

/// A file of labels for a folder of the images `0.pgm` to `8.pgm`.
pub fn table(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (images, labels) = (folder.path().join("images"), folder.path().join("labels"));
    fs::create_dir(&images).map_err(|e| e.to_string())?;
    for i in 0..9 {
        let path = images.join(format!("{i}.pgm"));
        fs::write(path, b"P5 2 2 255\n0123").map_err(|e| e.to_string())?;
    }
    fs::write(&labels, bytes).map_err(|e| e.to_string())?;
    let prepare = Prepare {
        labels: Some(labels),
        ..Prepare::default()
    };
    let source = images.to_string_lossy();
    said(data::load_prepared(
        &source,
        Binarize::None,
        &prepare,
        &mut |_| (),
    ))
}
