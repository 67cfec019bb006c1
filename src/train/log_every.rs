//! Progress at every n-th step, independent of the size of submissions.

use crate::train::event::Event;

/// Turns the progress of submissions into progress of every n-th step.
pub struct LogEvery {
    every: u64,
    /// Steps since the last report, and the sum of their losses.
    steps: u64,
    sum: f64,
}

impl LogEvery {
    /// Reports the steps that are multiples of `every`.
    pub fn new(every: u64) -> Self {
        LogEvery {
            every: every.max(1),
            steps: 0,
            sum: 0.0,
        }
    }

    /// The reports of the steps in this event; the loss is the mean since the previous report, or
    /// since the run was resumed. Other events give none.
    pub fn take(&mut self, event: &Event) -> Vec<Event> {
        let Event::Progress {
            epoch,
            done,
            of,
            step,
            losses,
            ..
        } = event
        else {
            return Vec::new();
        };
        let mut told = Vec::new();
        for (behind, loss) in (0..losses.len()).rev().zip(losses) {
            (self.steps, self.sum) = (self.steps + 1, self.sum + f64::from(*loss));
            let step = step - behind as u64;
            if step.is_multiple_of(self.every) {
                told.push(Event::Progress {
                    epoch: *epoch,
                    done: done - behind,
                    of: *of,
                    loss: self.sum / self.steps as f64,
                    step,
                    losses: Vec::new(),
                });
                (self.steps, self.sum) = (0, 0.0);
            }
        }
        told
    }
}
