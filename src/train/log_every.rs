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

#[cfg(test)]
mod tests {
    use super::*;

    /// The reports of epochs of ten steps, in submissions of these sizes. The loss of a step is its
    /// number.
    fn told(every: u64, sizes: &[usize]) -> Vec<(usize, usize, u64, f64)> {
        let (mut log, mut step) = (LogEvery::new(every), 0);
        let mut all = Vec::new();
        for size in sizes {
            let losses = (1..=*size).map(|i| (step + i) as f32).collect();
            step += size;
            let told = log.take(&Event::Progress {
                epoch: (step - 1) / 10 + 1,
                done: (step - 1) % 10 + 1,
                of: 10,
                loss: 0.0,
                step: step as u64,
                losses,
            });
            all.extend(told.into_iter().map(|event| match event {
                Event::Progress {
                    epoch,
                    done,
                    step,
                    loss,
                    ..
                } => (epoch, done, step, loss),
                other => panic!("{other:?}"),
            }));
        }
        all
    }

    #[test]
    fn the_steps_told_do_not_depend_on_submissions() {
        let expected = [
            (1, 4, 4, 2.5),
            (1, 8, 8, 6.5),
            (2, 2, 12, 10.5),
            (2, 6, 16, 14.5),
            (2, 10, 20, 18.5),
        ];
        for sizes in [&[10, 10][..], &[1, 9, 3, 3, 4], &[1; 20], &[4, 6, 2, 8]] {
            assert_eq!(told(4, sizes), expected, "{sizes:?}");
        }
        assert_eq!(told(1, &[10]).len(), 10);
        assert_eq!(told(100, &[10, 10]), []);
    }
}
