//! Static checks of a plan. They need no GPU.

use std::collections::HashSet;

use super::shader::Entry;
use super::{Plan, Role, Scalar, Slot, SlotId, Step};

/// Why a plan cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A step and its shader disagree, or a shader does not compile. This is a bug of this program.
    #[error("step `{step}`: {fault}")]
    Step {
        /// Label of the step.
        step: String,
        /// What is wrong.
        fault: String,
    },
    /// Two slots have the same name and would share memory. This is a bug of this program.
    #[error("two slots are called `{0}`")]
    SameName(String),
    /// A slot exceeds the largest binding of the adapter.
    #[error("`{slot}` needs {needed} MiB but this adapter binds at most {limit} MiB per buffer: {}",
        grows_with.advice(*.fits))]
    TooLarge {
        /// Name of the slot.
        slot: String,
        /// Its size in MiB, rounded up.
        needed: u64,
        /// Largest binding of the adapter in MiB.
        limit: u64,
        /// What the size of the slot grows with.
        grows_with: GrowsWith,
        /// Largest batch that fits, if the slot grows with the batch.
        fits: Option<usize>,
    },
    /// A dispatch exceeds [`MAX_GROUPS`] workgroups along one axis.
    #[error("step `{step}` needs {groups} workgroups along one axis, WebGPU allows 65535: {}",
        grows_with.advice(None))]
    TooManyGroups {
        /// Label of the step.
        step: String,
        /// Its number of workgroups.
        groups: u32,
        /// What the number of workgroups grows with.
        grows_with: GrowsWith,
    },
}

/// What the size of a slot or a grid depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrowsWith {
    /// The batch.
    Batch,
    /// The data set on the device.
    Data,
    /// The model: layers, images, latent dimensions.
    Model,
}

impl GrowsWith {
    /// What the user can try; `fits` is the largest batch that fits.
    fn advice(self, fits: Option<usize>) -> String {
        match (self, fits) {
            (Self::Batch, Some(batch)) => format!("use a smaller batch (up to {batch} fits)"),
            (Self::Batch, None) => "use a smaller batch".into(),
            (Self::Data, _) => "use fewer or smaller images, or another adapter".into(),
            (Self::Model, _) => {
                "use fewer filters or latent dimensions, smaller images, or another adapter".into()
            }
        }
    }
}

/// Most workgroups along one axis of a dispatch on every WebGPU adapter.
pub const MAX_GROUPS: u32 = 65_535;

impl Plan {
    /// Checks slots, bindings, grids, adapter limits and the order of reads and writes.
    ///
    /// # Errors
    ///
    /// The first [`PlanError`] found.
    pub fn check(&self) -> Result<(), PlanError> {
        self.check_slots()?;
        self.check_sizes()?;
        let mut written = HashSet::new();
        for step in self.steps() {
            self.check_step(step, &mut written)?;
        }
        Ok(())
    }

    /// Rejects duplicate names: memory is found by name.
    fn check_slots(&self) -> Result<(), PlanError> {
        let mut names = HashSet::new();
        match self
            .slots()
            .find(|(_, slot)| !names.insert(slot.name.as_str()))
        {
            None => Ok(()),
            Some((_, slot)) => Err(PlanError::SameName(slot.name.clone())),
        }
    }

    /// Whether a slot has one row per image of the batch. A packed data set, the only `Data` of
    /// integers, does not grow with the batch, even if the batch is the whole set.
    fn grows(&self, slot: &Slot) -> bool {
        let is_set = slot.role == Role::Data && slot.scalar == Scalar::U32;
        let has_rows = slot.shape.first() == Some(&self.batch);
        slot.role == Role::Activation || has_rows && !is_set
    }

    /// Names the largest slot that grows with the batch, since it limits the batch.
    fn check_sizes(&self) -> Result<(), PlanError> {
        let limit = self.caps.max_binding_bytes;
        let grows = |slot: &Slot| self.grows(slot);
        let over = self.slots().map(|(_, s)| s).filter(|s| s.bytes() > limit);
        let Some(slot) = over.max_by_key(|s| (!grows(s), s.bytes())) else {
            return Ok(());
        };
        let per_image = slot.bytes().div_ceil(self.batch.max(1) as u64).max(1);
        let fits = usize::try_from(limit / per_image).unwrap_or(usize::MAX);
        Err(PlanError::TooLarge {
            slot: slot.name.clone(),
            needed: slot.bytes().div_ceil(1 << 20),
            limit: limit >> 20,
            grows_with: match slot.role {
                _ if grows(slot) && fits > 0 => GrowsWith::Batch,
                Role::Data => GrowsWith::Data,
                _ => GrowsWith::Model,
            },
            fits: Some(fits).filter(|&b| grows(slot) && b > 0),
        })
    }

    fn check_step(&self, step: &Step, written: &mut HashSet<SlotId>) -> Result<(), PlanError> {
        let fault = |fault: String| PlanError::Step {
            step: step.label.clone(),
            fault,
        };
        let entry = step.kernel.reflect().map_err(&fault)?;
        if let Some(axis) = step.grid.iter().position(|&g| g > MAX_GROUPS) {
            return Err(PlanError::TooManyGroups {
                step: step.label.clone(),
                groups: step.grid[axis],
                grows_with: self.axis_grows_with(step, axis),
            });
        }
        let (memory, most) = (entry.memory_bytes(), self.caps.workgroup_memory);
        if memory > most {
            let message = format!("it needs {memory} bytes of workgroup memory, there are {most}");
            return Err(fault(message));
        }
        if step.grid.contains(&0) {
            return Err(fault("its grid is empty".into()));
        }
        check_names(step, entry).map_err(&fault)?;
        let mut stored = Vec::new();
        for binding in &entry.bindings {
            let bound = step.bindings.iter().find(|(n, _)| *n == binding.name);
            let (_, id) = bound.ok_or_else(|| fault(format!("`{}` is not bound", binding.name)))?;
            let slot = &self[*id];
            if slot.scalar != binding.scalar {
                return Err(fault(format!("`{}` has the wrong element type", slot.name)));
            }
            if slot.mirror_of.is_some() != binding.texels {
                let message = format!("`{}` is not in the memory the kernel expects", slot.name);
                return Err(fault(message));
            }
            if slot.mirror_of.is_some() && binding.writable {
                return Err(fault(format!(
                    "`{}` is a mirror and is not written",
                    slot.name
                )));
            }
            if slot.is_empty() {
                return Err(fault(format!("`{}` has no elements", slot.name)));
            }
            if binding.reads && !self.is_defined(*id, binding.writes, written) {
                let message = format!("reads `{}` before anything wrote it", slot.name);
                return Err(fault(message));
            }
            if binding.writes {
                stored.push(*id);
            }
            let clash = step.bindings.iter().find(|(name, other)| {
                let writable = entry.bindings.iter().any(|b| b.name == *name && b.writable);
                *name != binding.name && self.conflict((*id, binding.writable), (*other, writable))
            });
            if let Some((other, _)) = clash {
                let message = format!("`{}` and `{other}` share memory", binding.name);
                return Err(fault(message));
            }
        }
        written.extend(stored);
        Ok(())
    }

    /// What the length of a grid axis depends on. It does not depend on the batch if another axis
    /// counts the images or if no output of the step has a row per image.
    fn axis_grows_with(&self, step: &Step, axis: usize) -> GrowsWith {
        let counts_images = |other: usize| other != axis && step.grid[other] as usize == self.batch;
        let mut bound = step.bindings.iter();
        let per_image = bound.any(|(name, id)| {
            let written = step
                .kernel
                .reflect()
                .is_ok_and(|entry| entry.bindings.iter().any(|b| b.name == *name && b.writes));
            written && self[*id].shape.first() == Some(&self.batch)
        });
        let elsewhere = self.batch > 1 && (0..3).any(counts_images);
        if per_image && self.batch > 1 && !elsewhere {
            GrowsWith::Batch
        } else {
            GrowsWith::Model
        }
    }

    /// Whether two bindings of one dispatch conflict. WebGPU allows two bindings of one buffer if
    /// both are read-only, or if both are writable and their ranges are disjoint. A mirror may share
    /// memory with its slot, so a step must not read the one and write the other.
    pub(super) fn conflict(
        &self,
        (a, a_writable): (SlotId, bool),
        (b, b_writable): (SlotId, bool),
    ) -> bool {
        let memory = |id: SlotId| self[id].view_of.map_or(id, |(arena, _)| arena);
        let written = a_writable || b_writable;
        memory(a) == memory(b) && a_writable != b_writable || written && self.overlap(a, b)
    }

    /// Whether two slots overlap in memory; a mirror counts as the slot that it mirrors.
    pub(super) fn overlap(&self, a: SlotId, b: SlotId) -> bool {
        let place = |id: SlotId| {
            self[self.origin(id)]
                .view_of
                .unwrap_or((self.origin(id), 0))
        };
        let ((a_memory, a_start), (b_memory, b_start)) = (place(a), place(b));
        let apart = a_start + self[a].len() <= b_start || b_start + self[b].len() <= a_start;
        a_memory == b_memory && !apart
    }

    /// Whether a slot has a value: the host fills it, it persists between runs, or a step wrote it. An
    /// arena needs every view written; if the reader also writes the arena (`adds`), one view suffices,
    /// since the reader may write the others.
    fn is_defined(&self, id: SlotId, adds: bool, written: &HashSet<SlotId>) -> bool {
        let lives_on = [
            Role::Param,
            Role::Moment,
            Role::Data,
            Role::State,
            Role::Metric,
        ];
        let id = self.origin(id);
        if lives_on.contains(&self[id].role) || written.contains(&id) {
            return true;
        }
        let views = self.slots();
        let views = views.filter(|(_, s)| s.view_of.is_some_and(|(arena, _)| arena == id));
        let (done, missing): (Vec<_>, Vec<_>) = views.partition(|(view, _)| written.contains(view));
        !done.is_empty() && (missing.is_empty() || adds)
    }
}

fn check_names(step: &Step, entry: &Entry) -> Result<(), String> {
    for (name, _) in &step.bindings {
        if !entry.bindings.iter().any(|b| b.name == *name) {
            return Err(format!(
                "binds `{name}`, which the entry point does not use"
            ));
        }
    }
    let given = |name: &str| step.kernel.constants.iter().any(|(n, _)| *n == name);
    if let Some(missing) = entry.overrides.iter().find(|n| !given(n)) {
        return Err(format!("the override constant `{missing}` is not set"));
    }
    Ok(())
}
