//! How long submissions may be.

use std::time::{Duration, Instant};

use crate::ops::elbo::RING;
use crate::plan::Caps;

/// Most steps in one submission; the metrics ring holds the steps of two.
const MOST_STEPS: usize = RING / 2;

/// How many steps the next submission carries: as many as fit its time.
pub(crate) struct Pace {
    budget: Duration,
    steps: usize,
    seconds_per_step: Option<f64>,
    last: Instant,
}

impl Pace {
    pub(crate) fn new(caps: &Caps) -> Self {
        Pace {
            budget: caps.submission_time(),
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

    /// A submission of `count` steps has ended, and the next is already running.
    pub(crate) fn finished(&mut self, count: usize) {
        let seconds = self.last.elapsed().as_secs_f64() / count as f64;
        self.restart();
        self.learn(seconds);
    }

    /// Takes note that a step took so long.
    fn learn(&mut self, seconds: f64) {
        let known = self.seconds_per_step.get_or_insert(seconds);
        // The first steps carry the compilation of their shaders; later ones come down to the pace.
        *known = known.min(seconds).max(1e-6);
        let fitting = (self.budget.as_secs_f64() / *known) as usize;
        self.steps = fitting.min(4 * self.steps).clamp(1, MOST_STEPS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of the next submissions, when steps take these seconds.
    fn submissions(software: bool, seconds: &[f64]) -> Vec<usize> {
        let caps = Caps {
            software,
            ..Caps::portable()
        };
        let mut pace = Pace::new(&caps);
        let next = |s: &f64| {
            pace.learn(*s);
            pace.steps()
        };
        seconds.iter().map(next).collect()
    }

    #[test]
    fn submissions_grow_to_their_time_and_no_further() {
        assert_eq!(submissions(false, &[1e-3; 6]), [4, 16, 64, 250, 250, 250]);
        assert_eq!(submissions(true, &[0.05; 5]), [4, 16, 20, 20, 20]);
    }

    #[test]
    fn fast_steps_are_bounded_by_the_metrics_ring() {
        assert_eq!(submissions(false, &[1e-9; 6])[5], MOST_STEPS);
    }

    #[test]
    fn compiling_shaders_in_the_first_step_is_forgotten() {
        assert_eq!(submissions(true, &[9.0, 0.1, 0.1, 0.1]), [1, 4, 10, 10]);
    }
}
