//! Models of 3×3 convolutions with stride 2, from numbers of filters.

use super::description::{Described, Loss, Model};
use crate::ops::conv::Padding;
use crate::ops::{Activation, likelihood::Likelihood, posterior::Posterior};

/// A model by its numbers of filters. With two of each and sizes in multiples of 4, at least 8, it is
/// built as TensorFlow's tutorial builds it; otherwise all layers have SAME padding, and the decoder goes
/// back through exactly the encoder's sizes. Any other part of the description has its default.
#[derive(Clone, Debug, PartialEq)]
pub struct Filters {
    /// Height, width and channels of an image.
    pub image: [usize; 3],
    /// Latent dimensions.
    pub latent_dim: usize,
    /// Filters of the encoder's convolutions.
    pub encoder_filters: Vec<usize>,
    /// Channels of the image at the decoder's input.
    pub decoder_base: usize,
    /// Filters of the decoder's transposed convolutions of stride 2, as many as the encoder's.
    pub decoder_filters: Vec<usize>,
    /// KL term of the objective.
    pub loss: Loss,
    /// Weight of the divergence term.
    pub beta: f64,
}

impl Default for Filters {
    fn default() -> Self {
        Filters {
            image: [28, 28, 1],
            latent_dim: 2,
            encoder_filters: vec![32, 64],
            decoder_base: 32,
            decoder_filters: vec![64, 32],
            loss: Loss::Mc,
            beta: 1.0,
        }
    }
}

impl Filters {
    /// Whether the tutorial's padding is used.
    pub(super) fn as_tutorial(&self) -> bool {
        let [height, width, _] = self.image;
        let fits = |n: usize| n >= 8 && n.is_multiple_of(4);
        let two = [&self.encoder_filters, &self.decoder_filters].map(|filters| filters.len() == 2);
        two == [true; 2] && fits(height) && fits(width)
    }

    /// A decoder that mirrors the encoder: its filters in reverse order, from an image of the encoder's
    /// last number of channels. The tutorial's models keep the tutorial's 32 channels.
    #[must_use]
    pub fn of_encoder(image: [usize; 3], encoder_filters: Vec<usize>) -> Filters {
        let last = encoder_filters.last().copied();
        let mut filters = Filters {
            image,
            decoder_filters: encoder_filters.iter().rev().copied().collect(),
            encoder_filters,
            ..Filters::default()
        };
        if !filters.as_tutorial() {
            filters.decoder_base = last.unwrap_or(filters.decoder_base);
        }
        filters
    }

    /// The model.
    pub fn model(&self) -> Model {
        let tutorial = self.as_tutorial();
        let padding = if tutorial {
            Padding::Valid
        } else {
            Padding::Same
        };
        let [height, width, channels] = self.image;
        // The sizes that the decoder goes through, from the image down.
        let mut sizes = vec![[height, width]];
        for _ in &self.encoder_filters {
            sizes.push(sizes[sizes.len() - 1].map(|n| n.div_ceil(2)));
        }
        let conv = |&filters: &usize| Described::conv(filters, 2, padding);
        let [h, w] = sizes.pop().unwrap_or_default();
        let base = self.decoder_base;
        let mut decoder = vec![Described {
            dense: Some(h * w * base),
            reshape: Some([h, w, base]),
            activation: Activation::Relu,
            ..Described::default()
        }];
        for (filters, size) in self.decoder_filters.iter().zip(sizes.iter().rev()) {
            decoder.push(Described {
                size: (!tutorial).then_some(*size),
                ..Described::deconv(*filters)
            });
        }
        decoder.push(Described {
            deconv: Some(channels),
            ..Described::default()
        });
        Model {
            image: self.image,
            latent_dim: self.latent_dim,
            posterior: Posterior::Diagonal,
            likelihood: Likelihood::Bernoulli,
            sigma: Default::default(),
            mean: Default::default(),
            loss: self.loss,
            beta: self.beta,
            shift: 0.0,
            labels: 0,
            loss_scale: 1.0,
            range: None,
            encoder: self.encoder_filters.iter().map(conv).collect(),
            decoder,
        }
    }
}

impl Model {
    /// The numbers of filters, if its layers are those of [`Filters`].
    pub fn filters(&self) -> Option<Filters> {
        let encoder: Option<Vec<usize>> = self.encoder.iter().map(|layer| layer.conv).collect();
        let [first, middle @ .., _] = &self.decoder[..] else {
            return None;
        };
        let decoder: Option<Vec<usize>> = middle.iter().map(|layer| layer.deconv).collect();
        let filters = Filters {
            image: self.image,
            latent_dim: self.latent_dim,
            encoder_filters: encoder?,
            decoder_base: first.reshape?[2],
            decoder_filters: decoder?,
            loss: self.loss,
            beta: self.beta,
        };
        let same = filters.model();
        ((same.encoder, same.decoder) == (self.encoder.clone(), self.decoder.clone()))
            .then_some(filters)
    }
}

impl Default for Model {
    fn default() -> Self {
        Filters::default().model()
    }
}
