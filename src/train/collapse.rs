//! Posterior collapse: codes without information about their images.
//!
//! The mean KL term bounds the information of a code about its image from above (Hoffman and
//! Johnson, "ELBO surgery", 2016). Where it stays near 0, the decoder ignores the code and draws the
//! same picture for every image.

use crate::train::event::EpochReport;

/// Nats per image below which a model has collapsed. Telling two equally frequent kinds of images
/// apart takes log 2 = 0.69; a collapsed model keeps a few hundredths.
const LEAST: f64 = 0.1;

/// Optimizer steps before the test, and learning rates added up over them, which is 1000 steps at the
/// default rate: a model first learns the mean image, then to use its code.
const FROM_STEP: u64 = 200;
const FROM_SUM: f64 = 0.1;

/// Optimizer steps by which the ELBO rises: by 3 % on 64 digits, at the default rate.
const MOVES_BY_STEP: u64 = 50;

/// Least rise, relative to the first ELBO. Noise changes the ELBO by 0.01 %.
const LEAST_RISE: f64 = 0.001;

/// The warning for a model that does not use its code, at this learning rate. `start` is the test ELBO
/// before training, where it is known.
pub(super) fn warning(report: &EpochReport, start: Option<f64>, rate: f64) -> Option<String> {
    let EpochReport { epoch, step, .. } = *report;
    let (kl, test_elbo) = (report.kl, report.test_elbo);
    if epoch == 0 || kl >= LEAST {
        return None;
    }
    if step >= FROM_STEP && step as f64 * rate >= FROM_SUM {
        return Some(format!(
            "after epoch {epoch} the KL term is {kl:.2} nats per image: the codes hold almost no \
             information about their images (posterior collapse); if it stays there, try a lower weight of \
             the KL term, another learning rate, another seed, or more latent dimensions"
        ));
    }
    let start = start.filter(|start| test_elbo - start < LEAST_RISE * start.abs())?;
    (step >= MOVES_BY_STEP).then(|| {
        format!(
            "after epoch {epoch} the test ELBO is {test_elbo:.2}, no better than {start:.2} before \
             training, and the KL term is {kl:.2} nats per image: the model has learned nothing \
             (posterior collapse); check that the images have something in common, or try a higher \
             learning rate or a lower weight of the KL term"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: usize, step: u64, kl: f64, test_elbo: f64) -> Option<String> {
        let report = EpochReport {
            epoch,
            step,
            kl,
            test_elbo,
            ..EpochReport::default()
        };
        warning(&report, Some(-543.4), 1e-4)
    }

    #[test]
    fn a_trained_model_without_information_in_its_codes_has_collapsed() {
        for (epoch, step, kl, expected) in [
            (1, 1875, 0.02, true),
            // A mean over draws may fall below 0.
            (3, 5625, -0.01, true),
            (1, 1875, 4.47, false),
            (1, 1875, 0.11, false),
            // Untrained, or trained for a few steps.
            (0, 0, 0.0, false),
            (2, 28, 0.01, false),
        ] {
            let found = at(epoch, step, kl, -206.0).is_some();
            assert_eq!(found, expected, "{step} steps, KL {kl}");
        }
    }

    #[test]
    fn a_model_whose_elbo_never_moves_has_collapsed() {
        for (step, kl, test_elbo, expected) in [
            (80, 0.01, -543.45, true),
            (80, 0.01, -543.38, true),
            (80, 0.01, -547.0, true),
            // Too early, rising, or with information in its codes.
            (20, 0.01, -543.38, false),
            (80, 0.01, -542.0, false),
            (80, 0.2, -543.45, false),
        ] {
            let found = at(40, step, kl, test_elbo);
            assert_eq!(found.is_some(), expected, "{step}, {kl}, {test_elbo}");
            assert!(found.is_none_or(|text| text.contains("before training")));
        }
        let still = EpochReport {
            epoch: 40,
            step: 80,
            ..EpochReport::default()
        };
        assert_eq!(warning(&still, None, 1e-4), None);
    }
}
