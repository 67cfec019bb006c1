//! The settings of the page, and the configuration of a run that follows from them.

use cvae_gpu::data::{Binarize, Depth, Prepare};
use cvae_gpu::gpu::Selection;
use cvae_gpu::model::{Filters, Likelihood, Loss};
use cvae_gpu::saved::config::RunConfig;
use cvae_gpu::train::{Every, Extras};
use serde::Deserialize;

use crate::images::Images;

/// The settings of the form. A setting that is missing has the value of the tutorial.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    seed: u64,
    batch: usize,
    epochs: usize,
    /// Optimizer steps after which the run ends.
    steps: Option<u64>,
    lr: f64,
    beta: f64,
    latent_dim: usize,
    encoder_filters: Vec<usize>,
    decoder_filters: Option<Vec<usize>>,
    decoder_base: Option<usize>,
    /// The KL term: `mc` or `analytic`.
    kl: Kl,
    likelihood: Option<Likelihood>,
    flip: bool,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kl {
    #[default]
    Mc,
    Analytic,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            seed: 0,
            batch: 32,
            epochs: 10,
            steps: None,
            lr: 1e-4,
            beta: 1.0,
            latent_dim: 2,
            encoder_filters: vec![32, 64],
            decoder_filters: None,
            decoder_base: None,
            kl: Kl::Mc,
            likelihood: None,
            flip: false,
        }
    }
}

impl Settings {
    /// The configuration of a run on this set; it says what is wrong with the settings.
    pub fn config(self, images: &Images) -> Result<RunConfig, String> {
        let set = &images.set;
        if self.encoder_filters.is_empty() {
            return Err("give at least one number of filters".into());
        }
        let mut filters = Filters::of_encoder(set.shape(), self.encoder_filters);
        filters.latent_dim = self.latent_dim;
        filters.beta = self.beta;
        filters.decoder_base = self.decoder_base.unwrap_or(filters.decoder_base);
        filters.decoder_filters = self.decoder_filters.unwrap_or(filters.decoder_filters);
        if filters.decoder_filters.len() != filters.encoder_filters.len() {
            return Err("give the decoder as many numbers of filters as the encoder".into());
        }
        filters.loss = match self.kl {
            Kl::Mc => Loss::Mc,
            Kl::Analytic => Loss::AnalyticKl,
        };
        let mut model = filters.model();
        let train = &set.train.images;
        let real = train.depth() != Depth::Bit;
        let usual = if real {
            Likelihood::Gaussian
        } else {
            Likelihood::Bernoulli
        };
        model.likelihood = self.likelihood.unwrap_or(usual);
        model.range = train.range().map_err(|e| e.to_string())?;
        let config = RunConfig {
            version: env!("CARGO_PKG_VERSION").into(),
            model,
            data: set.name.clone(),
            data_path: None,
            data_sha256: Some(images.sha256.clone()),
            classes: Vec::new(),
            prepare: Prepare::default(),
            binarize: if real {
                Binarize::None
            } else {
                Binarize::usual(set.shape())
            },
            flip: self.flip,
            epochs: self.epochs,
            batch: self.batch,
            lr: self.lr,
            extras: Extras::default(),
            seed: self.seed,
            max_steps: self.steps,
            checkpoint_every: Every::default(),
            eval_every: 1,
            val_fraction: None,
            patience: None,
            init: None,
            log_every: None,
            images: true,
            device: Selection::default(),
        };
        // The checks of a file.
        let bytes = serde_json::to_vec(&config).map_err(|e| e.to_string())?;
        RunConfig::from_bytes(&bytes)
    }
}
