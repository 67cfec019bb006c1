//! Runs plans on a device and on their CPU twins side by side.

use crate::gpu::{Gpu, GpuError, Memory, Replay};
use crate::plan::cpu::{self, Values};
use crate::plan::{Plan, Role, Scalar, Slot, SlotId, Step};

use super::compare::{By, Limit, Row, compare};

/// Device memory and CPU memory of the same plans.
pub struct Pair<'g> {
    gpu: &'g Gpu,
    /// Device memory.
    pub device: Memory,
    /// CPU memory.
    pub twin: cpu::Memory,
}

/// How the steps of a plan are submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submit {
    /// All in one pass, as in training.
    Together,
    /// One submission per step, up to the first result beyond its limit.
    Singly,
}

/// Slots that a step writes, according to its shader. Reflection succeeds, since allocation checks the
/// plan.
pub fn written(step: &Step) -> impl Iterator<Item = SlotId> {
    let bindings = step.kernel.reflect().map_or(&[][..], |e| &e.bindings);
    let writes = |name: &str| bindings.iter().any(|b| b.name == name && b.writes);
    let bound = step.bindings.iter().filter(move |(name, _)| writes(name));
    bound.map(|(_, id)| *id)
}

/// Whether a step computes this slot; an arena with views counts through its views.
fn is_result(plan: &Plan, id: SlotId, slot: &Slot) -> bool {
    let computed = [Role::Activation, Role::Metric, Role::Grad].contains(&slot.role);
    let has_views = || {
        plan.slots()
            .any(|(_, s)| s.view_of.is_some_and(|(o, _)| o == id))
    };
    let mirror = slot.mirror_of.is_some();
    computed && slot.scalar == Scalar::F32 && !mirror && !has_views()
}

impl<'g> Pair<'g> {
    /// Allocates the slots of the plans. Every result is NaN on both sides, so that missing and stray
    /// writes show.
    pub async fn new(gpu: &'g Gpu, plans: &[&Plan]) -> Result<Self, GpuError> {
        let device = Memory::allocate(gpu, plans).await?;
        let mut twin = cpu::Memory::default();
        plans.iter().for_each(|plan| twin.fit(plan));
        let mut pair = Pair { gpu, device, twin };
        for plan in plans {
            for (id, slot) in plan.slots().filter(|(id, s)| is_result(plan, *id, s)) {
                let nothing = vec![f32::NAN; slot.len()];
                pair.device.write(gpu, plan, &slot.name, &nothing)?;
                let nothing = Values::Floats(vec![f64::NAN; slot.len()]);
                pair.twin.set(plan, id, &nothing);
            }
        }
        Ok(pair)
    }

    /// Fills a float slot on both sides.
    pub fn set(&mut self, plan: &Plan, name: &str, values: &[f32]) -> Result<(), GpuError> {
        self.device.write(self.gpu, plan, name, values)?;
        self.twin.set_floats(plan, name, values);
        Ok(())
    }

    /// Fills an integer slot on both sides.
    pub fn set_words(&mut self, plan: &Plan, name: &str, words: &[u32]) -> Result<(), GpuError> {
        self.device.write_words(self.gpu, plan, name, words)?;
        if let Some(id) = plan.find(name) {
            self.twin.set(plan, id, &Values::Words(words.to_vec()));
        }
        Ok(())
    }

    /// Contents of a slot on the device.
    pub async fn read(&self, plan: &Plan, id: SlotId) -> Result<Values, GpuError> {
        let name = &plan[id].name;
        Ok(match plan[id].scalar {
            Scalar::F32 => {
                let found = self.device.read(self.gpu, plan, name).await?;
                Values::Floats(found.into_iter().map(f64::from).collect())
            }
            Scalar::U32 => Values::Words(self.device.read_words(self.gpu, plan, name).await?),
        })
    }

    /// Compares a slot that a step has written; integers must be equal.
    pub async fn row(
        &self,
        plan: &Plan,
        step: &Step,
        id: SlotId,
        limit: Limit,
    ) -> Result<Row, GpuError> {
        let slot = &plan[id];
        let floats = |values: Values| match values {
            Values::Floats(v) => v,
            Values::Words(v) => v.into_iter().map(f64::from).collect(),
        };
        let limit = match slot.scalar {
            Scalar::F32 => limit,
            Scalar::U32 => Limit::Exact,
        };
        let device = floats(self.read(plan, id).await?);
        let twin = floats(self.twin.get(plan, id));
        let row = compare(&slot.name, &slot.shape, &device, &twin, limit);
        let by = Some(By {
            step: step.label.clone(),
            kernel: format!("{}::{}", step.kernel.source.name, step.kernel.entry),
        });
        Ok(Row { by, ..row })
    }

    /// Runs a plan once and checks each kernel alone: before each step the twin gets the inputs of the
    /// device. Errors of earlier steps, and ReLUs that open on one side only, therefore do not
    /// accumulate. At the end both sides are equal.
    pub async fn walk(
        &mut self,
        plan: &Plan,
        submit: Submit,
        limit: impl Fn(&Step, &str) -> Limit,
    ) -> Result<Vec<Row>, GpuError> {
        for (id, _) in plan.slots().filter(|(_, s)| s.owns_memory()) {
            self.follow_device(plan, id).await?;
        }
        let singly = submit == Submit::Singly;
        let replay = match singly {
            true => Replay::compile_steps(self.gpu, plan, &self.device).await?,
            false => Replay::compile(self.gpu, plan, &self.device).await?,
        };
        if !singly {
            self.gpu.submit(&[(&replay, 1)], None)?;
        }
        let mut rows = Vec::new();
        for (i, step) in plan.steps().iter().enumerate() {
            if singly {
                self.gpu.submit(&[(&replay.only(i), 1)], None)?;
            }
            self.twin.run_step(plan, step);
            for id in written(step) {
                let limit = limit(step, &plan[id].name);
                let limit = self.of_terms(plan, step, id, limit);
                let row = self.row(plan, step, id, limit).await?;
                let ends = singly && !row.ok();
                rows.push(row);
                if ends {
                    return Ok(rows);
                }
                self.follow_device(plan, id).await?;
            }
        }
        Ok(rows)
    }

    /// The limit of a sum of rows, plus 4 roundings of the mean sum of magnitudes: terms may cancel, in
    /// a bias gradient of one channel to less than their rounding.
    fn of_terms(&self, plan: &Plan, step: &Step, id: SlotId, limit: Limit) -> Limit {
        const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;
        let (Limit::OfLargest(share), "reduce") = (limit, step.kernel.source.name) else {
            return limit;
        };
        let x = step.bindings.iter().find(|(_, bound)| *bound != id);
        let Some(Values::Floats(terms)) = x.map(|(_, x)| self.twin.get(plan, *x)) else {
            return limit;
        };
        let sums = terms.iter().map(|term| term.abs()).sum::<f64>();
        Limit::Spread {
            share,
            absolute: 4.0 * ROUNDING * sums / plan[id].len() as f64,
        }
    }

    /// Copies a slot from the device to the twin. Integers stay: they must be equal, and wrong ones
    /// would make the twins index out of bounds.
    async fn follow_device(&mut self, plan: &Plan, id: SlotId) -> Result<(), GpuError> {
        if plan[id].scalar == Scalar::F32 {
            let values = self.read(plan, id).await?;
            self.twin.set(plan, id, &values);
        }
        Ok(())
    }
}
