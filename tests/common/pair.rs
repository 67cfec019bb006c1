//! Plans on a device and on their CPU twins, side by side.

use std::sync::MutexGuard;

use cvae_gpu::gpu::{Gpu, Memory, Replay};
use cvae_gpu::plan::cpu::{self, Values};
use cvae_gpu::plan::{Plan, Role, Scalar, Slot, SlotId, Step, shader};

use super::report::{Limit, Report};

/// A memory on the device and one on the CPU, of the same plans.
pub struct Pair<'g> {
    gpu: &'g Gpu,
    device: Memory,
    twin: cpu::Memory,
    _turn: Option<MutexGuard<'static, ()>>,
}

/// Slots which a step writes, by what its shader says.
pub fn written(step: &Step) -> Vec<SlotId> {
    let entry = shader::reflect(step.kernel.module, step.kernel.entry).expect("an entry point");
    let writes = |name: &str| entry.bindings.iter().any(|b| b.name == name && b.writes);
    let bound = step.bindings.iter().filter(|(name, _)| writes(name));
    bound.map(|(_, id)| *id).collect()
}

/// True for what a step computes; an arena of views is seen through these.
fn is_result(plan: &Plan, id: SlotId, slot: &Slot) -> bool {
    let computed = [Role::Activation, Role::Metric, Role::Grad].contains(&slot.role);
    let has_views = || {
        plan.slots()
            .any(|(_, s)| s.view_of.is_some_and(|(o, _)| o == id))
    };
    computed && slot.scalar == Scalar::F32 && !has_views()
}

impl<'g> Pair<'g> {
    /// Room for all slots of the plans. Every result holds NaN, on both sides, so that
    /// what a kernel leaves out, or writes where it should not, is seen.
    pub fn new(gpu: &'g Gpu, plans: &[&Plan]) -> Self {
        let turn = super::turn();
        let device = Memory::allocate(gpu, plans).expect("device memory");
        let mut twin = cpu::Memory::default();
        plans.iter().for_each(|plan| twin.fit(plan));
        let mut pair = Pair {
            gpu,
            device,
            twin,
            _turn: turn,
        };
        for plan in plans {
            for (id, slot) in plan.slots().filter(|(id, s)| is_result(plan, *id, s)) {
                let nothing = vec![f32::NAN; slot.len()];
                pair.device
                    .write(gpu, plan, &slot.name, &nothing)
                    .expect("a write");
                let nothing = Values::Floats(vec![f64::NAN; slot.len()]);
                pair.twin.set(plan, id, &nothing);
            }
        }
        pair
    }

    /// Fills a float slot on both sides.
    pub fn set(&mut self, plan: &Plan, name: &str, values: &[f32]) {
        self.device
            .write(self.gpu, plan, name, values)
            .expect("a write");
        self.twin.set_floats(plan, name, values);
    }

    /// Fills a slot of integers on both sides.
    pub fn set_words(&mut self, plan: &Plan, name: &str, words: &[u32]) {
        self.device
            .write_words(self.gpu, plan, name, words)
            .expect("a write");
        let id = plan.find(name).expect("a slot");
        self.twin.set(plan, id, &Values::Words(words.to_vec()));
    }

    /// Fills the float slots which the host provides with numbers in (-limit, limit).
    pub fn set_random(&mut self, plan: &Plan, limit: f64, seed: u64) {
        let data = |s: &Slot| s.role == Role::Data && s.scalar == Scalar::F32;
        let data = plan.slots().filter(|(_, s)| data(s)).enumerate();
        for (i, (_, slot)) in data {
            let values = super::uniform(slot.len(), limit, seed << 8 | i as u64);
            self.set(plan, &slot.name, &values);
        }
    }

    /// Contents of a slot on the device.
    pub fn read(&self, plan: &Plan, id: SlotId) -> Values {
        let name = &plan[id].name;
        match plan[id].scalar {
            Scalar::F32 => {
                let found = pollster::block_on(self.device.read(self.gpu, plan, name));
                let found = found.expect("a readback").into_iter();
                Values::Floats(found.map(f64::from).collect())
            }
            Scalar::U32 => {
                let found = pollster::block_on(self.device.read_words(self.gpu, plan, name));
                Values::Words(found.expect("a readback"))
            }
        }
    }

    fn submit(&self, plan: &Plan, times: usize) {
        let replay = Replay::compile(self.gpu, plan, &self.device).expect("a replay");
        self.gpu.submit(&[(&replay, times)], None).expect("a run");
    }

    fn compare_slot(&self, report: &mut Report, case: &str, plan: &Plan, id: SlotId, limit: Limit) {
        let name = &plan[id].name;
        match (self.read(plan, id), self.twin.get(plan, id)) {
            (Values::Floats(device), Values::Floats(twin)) => {
                report.floats(case, name, &device, &twin, limit);
            }
            (Values::Words(device), Values::Words(twin)) => {
                report.words(case, name, &device, &twin);
            }
            _ => panic!("{case}: `{name}` changed its element type"),
        }
    }

    /// Runs a plan so many times on both sides and compares every slot it writes.
    pub fn run(
        &mut self,
        report: &mut Report,
        case: &str,
        plan: &Plan,
        times: usize,
        limit: impl Fn(&str) -> Limit,
    ) {
        self.submit(plan, times);
        (0..times).for_each(|_| self.twin.run(plan));
        for id in plan.steps().iter().flat_map(written) {
            self.compare_slot(report, case, plan, id, limit(&plan[id].name));
        }
    }

    /// Runs a plan once and judges each kernel alone: before a step its twin gets what the
    /// device has. So a difference is never another step's, and a ReLU that one side closes and
    /// the other leaves just open moves nothing behind it. At the end both sides are equal.
    pub fn run_step_by_step(
        &mut self,
        report: &mut Report,
        case: &str,
        plan: &Plan,
        limit: impl Fn(&Step, &str) -> Limit,
    ) {
        self.follow_device(plan);
        self.submit(plan, 1);
        for step in plan.steps() {
            self.twin.run_step(plan, step);
            let case = format!("{case}, {}", step.label);
            for id in written(step) {
                let limit = limit(step, &plan[id].name);
                self.compare_slot(report, &case, plan, id, limit);
                let values = self.read(plan, id);
                self.twin.set(plan, id, &values);
            }
        }
    }

    /// Gives the CPU what the device has.
    fn follow_device(&mut self, plan: &Plan) {
        for (id, _) in plan.slots().filter(|(_, s)| s.view_of.is_none()) {
            let values = self.read(plan, id);
            self.twin.set(plan, id, &values);
        }
    }
}
