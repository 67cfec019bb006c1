//! Plans on a device and on their CPU twins, side by side.

use crate::gpu::{Gpu, GpuError, Memory, Replay};
use crate::plan::cpu::{self, Values};
use crate::plan::{Plan, PlanError, Role, Scalar, Slot, SlotId, Step};

use super::compare::{By, Limit, Row, compare};

/// A memory on the device and one on the CPU, of the same plans.
pub struct Pair<'g> {
    gpu: &'g Gpu,
    device: Memory,
    twin: cpu::Memory,
}

/// How the steps of a plan are submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submit {
    /// All in one pass, as in training.
    Together,
    /// Each alone, so that what a step leaves is read before the next one starts.
    Singly,
}

/// Slots which a step writes, by what its shader says.
fn written(step: &Step) -> Result<Vec<SlotId>, PlanError> {
    let entry = step.kernel.reflect();
    let entry = entry.map_err(|fault| PlanError::Step {
        step: step.label.clone(),
        fault,
    })?;
    let writes = |name: &str| entry.bindings.iter().any(|b| b.name == name && b.writes);
    let bound = step.bindings.iter().filter(|(name, _)| writes(name));
    Ok(bound.map(|(_, id)| *id).collect())
}

/// True for what a step computes; an arena of views is seen through these.
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
    /// Room for all slots of the plans. Every result holds NaN, on both sides, so that
    /// what a kernel leaves out, or writes where it should not, is seen.
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

    /// Fills a slot of integers on both sides.
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

    async fn row(
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
        let by = Some(By::new(step));
        Ok(Row { by, ..row })
    }

    /// Runs a plan so many times on both sides and compares every slot it writes.
    pub async fn run(
        &mut self,
        plan: &Plan,
        times: usize,
        limit: impl Fn(&str) -> Limit,
    ) -> Result<Vec<Row>, GpuError> {
        let replay = Replay::compile(self.gpu, plan, &self.device).await?;
        self.gpu.submit(&[(&replay, times)], None)?;
        (0..times).for_each(|_| self.twin.run(plan));
        let mut rows = Vec::new();
        for step in plan.steps() {
            for id in written(step)? {
                rows.push(self.row(plan, step, id, limit(&plan[id].name)).await?);
            }
        }
        Ok(rows)
    }

    /// Runs a plan once and judges each kernel alone: before a step its twin gets what the
    /// device has. So a difference is never another step's, and a ReLU that one side closes and
    /// the other leaves just open moves nothing behind it. At the end both sides are equal.
    ///
    /// Each row goes to `listen`; the walk ends where that says so.
    pub async fn walk(
        &mut self,
        plan: &Plan,
        submit: Submit,
        limit: impl Fn(&Step, &str) -> Limit,
        mut listen: impl FnMut(Row) -> Walk,
    ) -> Result<(), GpuError> {
        for (id, _) in plan.slots().filter(|(_, s)| s.owns_memory()) {
            self.follow_device(plan, id).await?;
        }
        let replay = match submit {
            Submit::Together => Replay::compile(self.gpu, plan, &self.device).await?,
            Submit::Singly => Replay::compile_steps(self.gpu, plan, &self.device).await?,
        };
        if submit == Submit::Together {
            self.gpu.submit(&[(&replay, 1)], None)?;
        }
        for (i, step) in plan.steps().iter().enumerate() {
            if submit == Submit::Singly {
                self.gpu.submit(&[(&replay.only(i), 1)], None)?;
            }
            self.twin.run_step(plan, step);
            for id in written(step)? {
                let limit = limit(step, &plan[id].name);
                let row = self.row(plan, step, id, limit).await?;
                if listen(row) == Walk::End {
                    return Ok(());
                }
                self.follow_device(plan, id).await?;
            }
        }
        Ok(())
    }

    /// Gives the twin what the device has. Integers stay: they must be equal anyway, and wrong
    /// ones would lead the twins, which trust their indices, out of their tensors.
    async fn follow_device(&mut self, plan: &Plan, id: SlotId) -> Result<(), GpuError> {
        if plan[id].scalar == Scalar::F32 {
            let values = self.read(plan, id).await?;
            self.twin.set(plan, id, &values);
        }
        Ok(())
    }
}

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// To the next tensor.
    On,
    /// Nowhere.
    End,
}
