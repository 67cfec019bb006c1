//! Writes the code of each test image of a set: its latent mean and log-variance, `[N, 2L]`.
//!
//! ```sh
//! cargo run --release --example encode_set runs/mnist-1/model.safetensors mnist codes.npy
//! ```
//!
//! The set is `mnist`, a folder of IDX files, or a packed set.

use std::error::Error;
use std::path::Path;

use cvae_gpu::data;
use cvae_gpu::explore::Explorer;
use cvae_gpu::files::npy;
use cvae_gpu::gpu::{Gpu, Selection};
use cvae_gpu::saved::Trained;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, source, out] = arguments.as_slice() else {
        return Err("give a model, a set, and the file for the codes".into());
    };
    pollster::block_on(async {
        let gpu = Gpu::open(&Selection::default()).await?;
        let count = encode(&gpu, Path::new(model), source, Path::new(out)).await?;
        println!("Wrote the codes of {count} images to {out}");
        Ok(())
    })
}

/// Encodes the test images of a set in file order and returns their number.
pub async fn encode(
    gpu: &Gpu,
    model: &Path,
    source: &str,
    out: &Path,
) -> Result<usize, Box<dyn Error>> {
    let trained = Trained::read(model)?;
    // Grey levels are converted as in training.
    let images = data::load(source, trained.binarize)?.test.images;
    let explorer = Explorer::new(gpu, &trained, 64);
    let mut tell = |done, of| eprintln!("{done} of {of} images");
    let codes = explorer.encode(&images, &mut tell).await?;
    let shape = [images.count(), 2 * trained.model.latent_dim];
    npy::write(out, &shape, &codes)?;
    Ok(images.count())
}
