//! Trains on images in memory, here bright discs on a dark background, and saves the model.
//!
//! ```sh
//! cargo run --release --example own_images discs.safetensors
//! cvae-gpu manifold --model discs.safetensors
//! ```

use std::error::Error;
use std::path::{Path, PathBuf};

use cvae_gpu::data::{Binarize, ImageSet, PackedImages};
use cvae_gpu::gpu::{Gpu, Selection};
use cvae_gpu::model::Filters;
use cvae_gpu::saved::Trained;
use cvae_gpu::train::event::Event;
use cvae_gpu::train::{Options, Trainer};

fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args_os().nth(1).map(PathBuf::from);
    let out = out.unwrap_or_else(|| "discs.safetensors".into());
    let options = Options {
        epochs: 20,
        ..options()
    };
    pollster::block_on(async {
        let gpu = Gpu::open(&Selection::default()).await?;
        train(&gpu, &discs(2000, 200), &options, &out).await
    })
}

/// Grey images of 16×16 pixels of a byte each, row by row.
pub fn discs(train: usize, test: usize) -> ImageSet {
    let pixel = |image: usize, at: usize| {
        let (y, x) = (5 + image % 7, 5 + image / 7 % 7);
        let (dy, dx) = ((at / 16).abs_diff(y), (at % 16).abs_diff(x));
        if dy * dy + dx * dx <= 16 { 240 } else { 20 }
    };
    let draw = |images: std::ops::Range<usize>| {
        let pixels = images.flat_map(|image| (0..256).map(move |at| pixel(image, at)));
        let pixels: Vec<u8> = pixels.collect();
        PackedImages::from_bytes([16, 16, 1], &pixels, Binarize::Threshold)
    };
    ImageSet::unlabelled("discs", draw(0..train), draw(train..train + test))
}

/// The tutorial's options, but for images of 16×16 pixels.
pub fn options() -> Options {
    let model = Filters {
        image: [16, 16, 1],
        ..Filters::default()
    }
    .model();
    Options::of(model)
}

/// Trains, prints each epoch, and writes the model.
pub async fn train(
    gpu: &Gpu,
    set: &ImageSet,
    options: &Options,
    out: &Path,
) -> Result<(), Box<dyn Error>> {
    let mut trainer = pollster::block_on(Trainer::new(gpu, options, set))?;
    let mut listener = |event: Event| {
        if let Event::Epoch(report) = event {
            println!("epoch {}: test ELBO {:.2}", report.epoch, report.test_elbo);
        }
        Ok(())
    };
    trainer.run(&mut listener).await?;
    let snapshot = trainer.snapshot().await?;
    let trained = Trained::from_snapshot(&options.model, Binarize::Threshold, &snapshot);
    trained.to_file().write(out)?;
    Ok(())
}
