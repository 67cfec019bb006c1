//! Posterior collapse: codes that say nothing of their images.
//!
//! The KL term is, on average, an upper bound of the information that a code carries about its
//! image (Hoffman and Johnson, "ELBO surgery", 2016). Where it stays near 0 the decoder has learned
//! to do without the code, and draws the same picture for every image.

use crate::event::EpochReport;

/// Nats per image. A model that tells two equally frequent kinds of images apart needs log 2 = 0.69,
/// and one that works has several; what a collapsed one has left, noise included, is some hundredths.
const LEAST: f64 = 0.1;

/// Optimizer steps. Every model first learns the mean image, and uses the code only then.
const FROM_STEP: u64 = 1000;

/// True if training has come to a model that does not use its code.
pub(super) fn has_collapsed(report: &EpochReport) -> bool {
    report.epoch > 0 && report.step >= FROM_STEP && report.kl < LEAST
}

/// What to say of it.
pub(super) fn warning(report: &EpochReport) -> String {
    let EpochReport { epoch, kl, .. } = report;
    format!(
        "after epoch {epoch} the KL term is {kl:.2} nats per image: the codes say next to nothing \
         of their images (posterior collapse); if it stays there, try a lower --beta, \
         another --lr, another --seed, or more --latent-dim"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trained_model_without_information_in_its_codes_has_collapsed() {
        for (epoch, step, kl, expected) in [
            (1, 1875, 0.02, true),
            // A mean over draws may fall below 0.
            (3, 5625, -0.01, true),
            (1, 1875, 4.47, false),
            (1, 1875, 0.11, false),
            // Untrained, or hardly trained.
            (0, 0, 0.0, false),
            (2, 28, 0.01, false),
        ] {
            let report = EpochReport {
                epoch,
                step,
                kl,
                ..EpochReport::default()
            };
            assert_eq!(has_collapsed(&report), expected, "{report:?}");
        }
    }
}
