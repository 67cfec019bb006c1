//! The per-image table of `eval` and `score`: what each image contributes to the ELBO.

use cvae_gpu::eval::Terms;
use cvae_gpu::model::Loss;

use super::trained::Images;

/// Lines `index,label,elbo,reconstruction,kl` of the images in `order`, in nats; where there are
/// bounds, `iwae` follows. An image without a label leaves its column empty.
pub fn csv(
    images: &Images,
    terms: &[Terms],
    bounds: Option<&[f32]>,
    loss: Loss,
    order: impl Iterator<Item = usize>,
) -> String {
    let more = if bounds.is_some() { ",iwae" } else { "" };
    let mut text = format!("index,label,elbo,reconstruction,kl{more}\n");
    for i in order {
        let label = images.label(i).map(|l| l.to_string()).unwrap_or_default();
        let (elbo, kl) = (terms[i].elbo(loss), terms[i].divergence(loss));
        let bound = bounds.map(|b| format!(",{:.6}", b[i])).unwrap_or_default();
        let reconstruction = terms[i].logpx_z;
        text += &format!("{i},{label},{elbo:.6},{reconstruction:.6},{kl:.6}{bound}\n");
    }
    text
}
