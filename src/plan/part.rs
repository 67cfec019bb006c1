//! A step with the reflection of its shader.

use super::check::PlanError;
use super::shader::{Binding, Entry};
use super::{SlotId, Step};

/// A step with the reflection of its entry point.
#[derive(Clone, Copy)]
pub(super) struct Part<'p> {
    pub step: &'p Step,
    pub entry: &'static Entry,
}

impl<'p> Part<'p> {
    pub fn of(step: &'p Step) -> Result<Self, PlanError> {
        let entry = step.kernel.reflect().map_err(|fault| PlanError::Step {
            step: step.label.clone(),
            fault,
        })?;
        Ok(Part { step, entry })
    }

    /// The bindings of the shader and the slots bound to them.
    pub fn bindings(&self) -> impl Iterator<Item = (&'static Binding, SlotId)> {
        self.entry.bindings.iter().filter_map(|binding| {
            let mut bound = self.step.bindings.iter();
            let (_, id) = bound.find(|(name, _)| *name == binding.name)?;
            Some((binding, *id))
        })
    }
}
