//! The inner loop: optimizer steps, a submission at a time, with two in flight. The metrics of several
//! submissions are read at once.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use super::{Listener, TrainError, Trainer};
use web_time::Instant;

use crate::gpu::Readback;
use crate::ops::elbo::{COLUMNS, RING};
use crate::train::event::Event;

/// A submission of optimizer steps.
struct InFlight {
    steps: usize,
    /// Steps whose metrics the readback holds: those since the readback before it.
    rows: usize,
    readback: Readback,
}

impl Trainer<'_> {
    /// Trains in `epoch` to step `pause`, or until a stop or a checkpoint is due. No submission is
    /// in flight afterwards.
    pub(super) async fn advance(
        &mut self,
        epoch: usize,
        pause: u64,
        emit: &mut Listener<'_>,
    ) -> Result<(), TrainError> {
        let start = Instant::now();
        let gpu = self.gpu;
        let writes = || gpu.counters.host_writes.load(Ordering::Relaxed);
        let writes_before = writes();
        let before = self.steps_before(epoch);
        let in_epoch = |step: u64| usize::try_from(step - before).unwrap_or(usize::MAX);
        let of = in_epoch(self.end().min(self.steps_before(epoch + 1)));
        let (mut done, pause) = (in_epoch(self.step), in_epoch(pause));
        let (mut encoded, mut unread) = (done, 0);
        let mut in_flight: VecDeque<InFlight> = VecDeque::new();
        loop {
            let ring =
                |read: bool| read.then_some((&self.device.memory, self.device.plan(), "metrics"));
            let go_on = encoded < pause && !self.is_stopping() && !self.schedule.is_due();
            if go_on && in_flight.len() < 2 {
                let here = self.device.bring(gpu, epoch - 1, encoded)? - encoded;
                let steps = self.pace.steps().min(pause - encoded).min(here);
                let runs = self.device.runs(encoded, steps);
                encoded += steps;
                unread += steps;
                let reads = self.pace.reads(unread);
                in_flight.push_back(InFlight {
                    steps,
                    rows: if reads {
                        std::mem::take(&mut unread)
                    } else {
                        0
                    },
                    readback: gpu.submit(&runs, ring(reads))?,
                });
                self.traffic.submissions += 1;
                self.traffic.most_steps = self.traffic.most_steps.max(steps as u64);
                continue;
            }
            let next = match in_flight.pop_front() {
                Some(next) => next,
                None if unread > 0 => InFlight {
                    steps: 0,
                    rows: std::mem::take(&mut unread),
                    readback: gpu.submit(&[], ring(true))?,
                },
                None => break,
            };
            let metrics = next.readback.floats(gpu).await?;
            if next.steps > 0 {
                self.pace.finished(next.steps);
            }
            if next.rows == 0 {
                continue;
            }
            if let Some(set_up) = self.set_up.take() {
                self.device.ahead = None;
                let seconds = (set_up + start.elapsed()).as_secs_f64();
                emit(Event::FirstStep { seconds })?;
            }
            let losses = self.collect(&metrics, done, next.rows).await?;
            done += next.rows;
            let sum: f64 = losses.iter().copied().map(f64::from).sum();
            let (step, loss) = (self.step, sum / next.rows as f64);
            emit(Event::Progress {
                epoch,
                done,
                of,
                loss,
                step,
                losses,
            })?;
        }
        self.traffic.host_writes += writes() - writes_before;
        self.record.sums.seconds += start.elapsed().as_secs_f64();
        Ok(())
    }

    /// Reads the metrics of the next `count` steps from the ring and returns their losses. The first
    /// step is `offset` steps into the epoch.
    async fn collect(
        &mut self,
        ring: &[f32],
        offset: usize,
        count: usize,
    ) -> Result<Vec<f32>, TrainError> {
        let mut losses = Vec::with_capacity(count);
        for offset in offset..offset + count {
            let row = (self.step % RING as u64) as usize * COLUMNS;
            let loss = ring.get(row).copied().unwrap_or(f32::NAN);
            self.step += 1;
            if !loss.is_finite() {
                let step = self.step;
                let origin = self.find_origin(step).await?;
                return Err(TrainError::NotFinite { loss, step, origin });
            }
            let images = self.device.plans.steps.size(offset);
            self.record.sums.images += images as u64;
            self.record.sums.loss += f64::from(loss) * images as f64;
            losses.push(loss);
        }
        Ok(losses)
    }
}
