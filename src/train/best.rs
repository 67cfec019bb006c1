//! The best epoch by the validation ELBO, and when there is no better one to wait for.

use serde::{Deserialize, Serialize};

/// The best evaluated epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Optimizer steps at its end.
    pub step: u64,
    /// Its validation ELBO, in nats per image.
    pub elbo: f64,
    /// The last evaluated epoch.
    pub last: usize,
}

impl Best {
    /// The best epoch once `epoch`, which ends at `step`, has this validation ELBO. Of equal ones, the
    /// first is the best; one that is not finite is none.
    pub(super) fn next(best: Option<Best>, epoch: usize, step: u64, elbo: f64) -> Option<Best> {
        let new = Best {
            epoch,
            step,
            elbo,
            last: epoch,
        };
        match best {
            // A run that its step limit cut short reports this epoch again, with more steps.
            Some(best) if best.epoch < epoch && (best.elbo >= elbo || !elbo.is_finite()) => {
                let last = epoch;
                Some(Best { last, ..best })
            }
            _ => elbo.is_finite().then_some(new),
        }
    }

    /// True where no epoch was better for `patience` epochs.
    pub fn is_over(&self, patience: usize) -> bool {
        self.last - self.epoch >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_highest_is_the_best_and_patience_counts_from_it() {
        let (mut best, mut found) = (None, Vec::new());
        for (i, elbo) in [f64::NAN, -9.0, -7.0, -8.0, f64::NAN, -7.0, -6.5]
            .into_iter()
            .enumerate()
        {
            let epoch = 2 * (i + 1);
            best = Best::next(best, epoch, 10 * epoch as u64, elbo);
            let over = best.map(|best| [3, 4, 6].map(|patience| best.is_over(patience)));
            found.push((best.map(|best| best.epoch), over));
        }
        let still = Some([false; 3]);
        let expected = [
            (None, None),
            (Some(4), still),
            (Some(6), still),
            (Some(6), still),
            (Some(6), Some([true, true, false])),
            (Some(6), Some([true; 3])),
            (Some(14), still),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_epoch_that_is_reported_again_replaces_its_first_report() {
        let cut = Best::next(None, 1, 7, -5.0);
        let whole = Best::next(cut, 1, 10, -6.0).expect("an epoch");
        assert_eq!((whole.step, whole.elbo), (10, -6.0));
    }
}
