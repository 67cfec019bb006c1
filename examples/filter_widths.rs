//! Compares filter widths: models of several widths, each trained on MNIST for the same number of steps.
//!
//! ```sh
//! cargo run --release --example filter_widths 500
//! ```

use std::error::Error;

use cvae_gpu::data::{self, Binarize, ImageSet};
use cvae_gpu::gpu::{Gpu, Selection};
use cvae_gpu::model::params::ParamSpec;
use cvae_gpu::model::{Filters, Model};
use cvae_gpu::train::event::Event;
use cvae_gpu::train::{Options, Trainer};

fn main() -> Result<(), Box<dyn Error>> {
    let steps = std::env::args().nth(1).map_or(Ok(200), |n| n.parse())?;
    let set = data::load("mnist", Binarize::Threshold)?;
    pollster::block_on(async {
        let gpu = Gpu::open(&Selection::default()).await?;
        for widths in [[8, 16], [16, 32], [32, 64]] {
            let model = model(widths, set.shape());
            let parameters: usize = model.params().iter().map(ParamSpec::len).sum();
            let elbo = elbo_after(&gpu, model, &set, steps).await?;
            println!("filters {widths:?}: {parameters} parameters, test ELBO {elbo:.2}");
        }
        Ok(())
    })
}

/// An encoder of these widths, and a decoder that mirrors it.
pub fn model(widths: [usize; 2], image: [usize; 3]) -> Model {
    let [first, second] = widths;
    Filters {
        image,
        encoder_filters: vec![first, second],
        decoder_base: first,
        decoder_filters: vec![second, first],
        ..Filters::default()
    }
    .model()
}

/// The test ELBO after `steps` optimizer steps, in nats per image.
pub async fn elbo_after(
    gpu: &Gpu,
    model: Model,
    set: &ImageSet,
    steps: u64,
) -> Result<f64, Box<dyn Error>> {
    let options = Options {
        max_steps: Some(steps),
        pictures: false,
        ..Options::of(model)
    };
    let mut elbo = f64::NAN;
    let mut listener = |event: Event| {
        if let Event::Epoch(report) = event {
            elbo = report.test_elbo;
        }
        Ok(())
    };
    let mut trainer = pollster::block_on(Trainer::new(gpu, &options, set))?;
    trainer.run(&mut listener).await?;
    Ok(elbo)
}
