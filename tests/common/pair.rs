//! Plans on a device and on their CPU twins side by side. Wraps `check::pair`: adds rows to a report
//! and panics on errors.

use cvae_gpu::check::pair::{self, Submit};
use cvae_gpu::gpu::{Gpu, Replay};
use cvae_gpu::plan::cpu::Values;
use cvae_gpu::plan::{Plan, Role, Scalar, Slot, SlotId, Step};

use super::report::{Limit, Report};

/// Device memory and CPU memory of the same plans.
pub struct Pair<'g> {
    gpu: &'g Gpu,
    pair: pair::Pair<'g>,
}

impl<'g> Pair<'g> {
    /// Allocates the slots of the plans; every result is NaN.
    pub fn new(gpu: &'g Gpu, plans: &[&Plan]) -> Self {
        let pair = pollster::block_on(pair::Pair::new(gpu, plans)).expect("device memory");
        Pair { gpu, pair }
    }

    /// Fills a float slot on both sides.
    pub fn set(&mut self, plan: &Plan, name: &str, values: &[f32]) {
        self.pair.set(plan, name, values).expect("a write");
    }

    /// Fills an integer slot on both sides.
    pub fn set_words(&mut self, plan: &Plan, name: &str, words: &[u32]) {
        self.pair.set_words(plan, name, words).expect("a write");
    }

    /// Fills the float slots that the host provides with numbers in (-limit, limit).
    pub fn set_random(&mut self, plan: &Plan, limit: f64, seed: u64) {
        let data = |s: &Slot| s.role == Role::Data && s.scalar == Scalar::F32;
        let data = plan
            .slots()
            .filter(|(_, s)| data(s) && s.mirror_of.is_none());
        let data = data.enumerate();
        for (i, (_, slot)) in data {
            let values = super::uniform(slot.len(), limit, seed << 8 | i as u64);
            self.set(plan, &slot.name, &values);
        }
    }

    /// Contents of a slot on the device.
    pub fn read(&self, plan: &Plan, id: SlotId) -> Values {
        pollster::block_on(self.pair.read(plan, id)).expect("a readback")
    }

    /// Runs a plan `times` times on both sides and compares every slot that it writes.
    pub fn run(
        &mut self,
        report: &mut Report,
        case: &str,
        plan: &Plan,
        times: usize,
        limit: impl Fn(&str) -> Limit,
    ) {
        let replay = pollster::block_on(Replay::compile(self.gpu, plan, &self.pair.device));
        let replay = replay.expect("a plan that compiles");
        self.gpu.submit(&[(&replay, times)], None).expect("a run");
        (0..times).for_each(|_| self.pair.twin.run(plan));
        for step in plan.steps() {
            for id in pair::written(step) {
                let limit = limit(&plan[id].name);
                let row = pollster::block_on(self.pair.row(plan, step, id, limit));
                report.add(case, row.expect("a readback"));
            }
        }
    }

    /// Runs a plan once and checks each kernel alone.
    pub fn run_step_by_step(
        &mut self,
        report: &mut Report,
        case: &str,
        plan: &Plan,
        limit: impl Fn(&Step, &str) -> Limit,
    ) {
        let rows = pollster::block_on(self.pair.walk(plan, Submit::Together, limit));
        let rows = rows.expect("a run").into_iter();
        rows.for_each(|row| report.add(case, row));
    }
}
