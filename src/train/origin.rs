//! Finds the kernel that wrote the first value that is not finite, by replaying the last steps
//! kernel by kernel.
//!
//! The metrics ring names the first step whose loss is bad. When the host reads it, the device is
//! some steps further and every tensor is bad. Replay is exact, so the host restores the last
//! checkpoint and repeats the steps.

use super::{Origin, TrainError, Trainer};
use crate::gpu::{GpuError, Replay};
use crate::plan::{Plan, Role, Scalar, Slot, SlotId, Step};

impl Trainer<'_> {
    /// Replays up to step `bad` (from 1) from the last good snapshot and returns the first result of
    /// the last two steps that is not finite. A bad loss comes from its own step or from the update
    /// before it.
    pub(super) async fn find_origin(&self, bad: u64) -> Result<Option<Origin>, TrainError> {
        let Some(good) = &self.good else {
            return Ok(None);
        };
        self.device.restore(self.gpu, good)?;
        let mut step = good.step();
        let walk_from = bad.saturating_sub(2).max(step);
        while step < walk_from {
            let (pass, offset) = self.place(step);
            let left = self.device.bring(self.gpu, pass, offset)? - offset;
            let most = usize::try_from(walk_from - step).unwrap_or(usize::MAX);
            let now = self.pace.steps().min(left).min(most);
            let runs = self.device.runs(offset, now);
            self.gpu.submit(&runs, None)?.words(self.gpu).await?;
            step += now as u64;
        }
        for step in walk_from..bad {
            if let Some(origin) = self.walk(step).await? {
                return Ok(Some(origin));
            }
        }
        Ok(None)
    }

    /// The pass that a step belongs to, from 0, and its place there.
    fn place(&self, step: u64) -> (usize, usize) {
        let per_epoch = self.device.plans.steps.len() as u64;
        ((step / per_epoch) as usize, (step % per_epoch) as usize)
    }

    /// One step, kernel by kernel.
    async fn walk(&self, step: u64) -> Result<Option<Origin>, TrainError> {
        let (pass, offset) = self.place(step);
        self.device.bring(self.gpu, pass, offset)?;
        let compiled = self.device.plans.steps.at(offset);
        let plan = &compiled.plan;
        let replay = match Replay::compile_steps(self.gpu, plan, &self.device.memory).await {
            // Training ran these kernels, some of them only as parts of bundles: that one does not
            // compile alone must not hide that training has diverged.
            Err(GpuError::Kernel { .. }) => return Ok(None),
            compiled => compiled?,
        };
        for (index, call) in plan.steps().iter().enumerate() {
            let alone = replay.only(index);
            self.gpu
                .submit(&[(&alone, 1)], None)?
                .words(self.gpu)
                .await?;
            for id in written(plan, call) {
                let slot = &plan[id];
                let memory = &self.device.memory;
                let values = memory.read(self.gpu, plan, &slot.name).await?;
                if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                    return Ok(Some(Origin {
                        tensor: name_at(plan, id, at),
                        kernel: call.label.clone(),
                        step: step + 1,
                    }));
                }
            }
        }
        Ok(None)
    }
}

/// The float slots that a kernel call writes. The ring still holds rows of later steps.
fn written(plan: &Plan, step: &Step) -> Vec<SlotId> {
    let Ok(entry) = step.kernel.reflect() else {
        return Vec::new();
    };
    let is_written = |name: &str| entry.bindings.iter().any(|b| b.writes && b.name == name);
    let wanted = |slot: &Slot| slot.scalar == Scalar::F32 && slot.role != Role::Metric;
    let bound = step.bindings.iter();
    bound
        .filter(|(name, id)| is_written(name) && wanted(&plan[*id]))
        .map(|(_, id)| *id)
        .collect()
}

/// The slot that holds the element `at`; for an arena, the view that holds it.
fn name_at(plan: &Plan, id: SlotId, at: usize) -> String {
    let holds = |slot: &Slot| {
        slot.view_of
            .is_some_and(|(arena, start)| arena == id && (start..start + slot.len()).contains(&at))
    };
    let view = plan.slots().find(|(_, slot)| holds(slot));
    view.map_or(&plan[id], |(_, slot)| slot).name.clone()
}
