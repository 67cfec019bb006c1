//! The number of optimizer steps per submission.

use std::time::Duration;

use web_time::Instant;

use crate::ops::Target;
use crate::ops::elbo::RING;

/// Most steps in one submission. On a fast GPU they take about 10 ms, which hides the gap between
/// submissions; encoding more would delay the first.
pub(crate) const MOST_STEPS: usize = 128;

const _: () = assert!(
    2 * MOST_STEPS <= RING,
    "the metrics ring holds the steps of two submissions"
);

/// The number of steps of the next submission: as many as fit the time budget.
pub(crate) struct Pace {
    budget: Duration,
    steps: usize,
    seconds_per_step: Option<f64>,
    last: Instant,
}

impl Pace {
    pub(crate) fn new(target: &Target) -> Self {
        Pace {
            budget: target.heuristics.submission_time,
            steps: 1,
            seconds_per_step: None,
            last: Instant::now(),
        }
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    pub(crate) fn restart(&mut self) {
        self.last = Instant::now();
    }

    /// A submission of `count` steps has ended; the next one runs already.
    pub(crate) fn finished(&mut self, count: usize) {
        let seconds = self.last.elapsed().as_secs_f64() / count as f64;
        self.restart();
        self.learn(seconds);
    }

    /// Updates the estimate with the duration of a step.
    fn learn(&mut self, seconds: f64) {
        let known = self.seconds_per_step.get_or_insert(seconds);
        // The moving average forgets the shader compilation in the first steps. A submission appears to
        // take no time where the host saw the end of the previous one late, hence the lower bound.
        *known = (0.25 * *known + 0.75 * seconds).max(1e-6);
        let fitting = (self.budget.as_secs_f64() / *known) as usize;
        self.steps = fitting.min(4 * self.steps).clamp(1, MOST_STEPS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Caps;

    /// Steps of the next submissions, for steps of these durations in seconds.
    fn submissions(software: bool, seconds: &[f64]) -> Vec<usize> {
        let target = Target::new(Caps {
            software,
            ..Caps::portable()
        });
        let mut pace = Pace::new(&target);
        let next = |s: &f64| {
            pace.learn(*s);
            pace.steps()
        };
        seconds.iter().map(next).collect()
    }

    #[test]
    fn submissions_grow_to_their_time_and_no_further() {
        assert_eq!(submissions(false, &[1e-3; 6]), [4, 16, 64, 128, 128, 128]);
        assert_eq!(submissions(true, &[0.05; 5]), [4, 16, 20, 20, 20]);
    }

    #[test]
    fn fast_steps_are_bounded_by_their_number() {
        assert_eq!(submissions(false, &[1e-9; 6])[5], MOST_STEPS);
    }

    #[test]
    fn compiling_shaders_in_the_first_step_is_forgotten() {
        let seconds = [9.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1];
        assert_eq!(submissions(true, &seconds), [1, 1, 1, 4, 7, 9, 9]);
    }

    #[test]
    fn a_submission_that_seems_to_take_no_time_does_not_set_the_pace() {
        let seconds = [0.1, 0.1, 0.1, 0.0, 0.1, 0.1, 0.1];
        assert_eq!(submissions(true, &seconds), [4, 10, 10, 40, 12, 10, 10]);
    }
}
