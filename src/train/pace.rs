//! The number of optimizer steps per submission, and the time between two readbacks.

use std::time::Duration;

use web_time::Instant;

use crate::ops::Target;
use crate::ops::elbo::RING;

/// Most steps in one submission. On a fast GPU they take about 10 ms, which hides the gap between
/// submissions; encoding more would delay the first.
pub(crate) const MOST_STEPS: usize = 128;

/// Time between two readbacks of metrics. A person sees no more, and in a browser each readback crosses
/// into another process.
const BETWEEN_READBACKS: Duration = Duration::from_millis(250);

const _: () = assert!(
    2 * MOST_STEPS <= RING,
    "the metrics ring holds more than the steps of one submission"
);

/// The number of steps of the next submission, as many as fit the time budget, and whether their metrics
/// are read.
pub(crate) struct Pace {
    budget: Duration,
    steps: usize,
    seconds_per_step: Option<f64>,
    last: Instant,
    last_readback: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(target: &Target) -> Self {
        Pace {
            budget: target.heuristics.submission_time,
            steps: 1,
            seconds_per_step: None,
            last: Instant::now(),
            last_readback: None,
        }
    }

    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// Whether a submission copies the metrics of the `unread` steps up to its end for the host: the first
    /// one, then one in a quarter of a second, and one before the ring would overflow.
    pub(crate) fn reads(&mut self, unread: usize) -> bool {
        let last = self.last_readback;
        let due = last.is_none_or(|last| last.elapsed() >= BETWEEN_READBACKS);
        let reads = due || unread + MOST_STEPS > RING;
        if reads {
            self.last_readback = Some(Instant::now());
        }
        reads
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
    fn metrics_are_read_at_once_and_before_the_ring_overflows() {
        let mut pace = Pace::new(&Target::new(Caps::portable()));
        pace.last_readback = Instant::now().checked_add(Duration::from_secs(1000));
        assert!(!pace.reads(RING - MOST_STEPS));
        assert!(pace.reads(RING - MOST_STEPS + 1));
        pace.last_readback = None;
        assert!(pace.reads(1));
        pace.last_readback = Instant::now().checked_sub(BETWEEN_READBACKS);
        assert!(pace.reads(1));
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
