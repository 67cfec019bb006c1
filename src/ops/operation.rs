//! The interface of an operation.

use std::any::Any;
use std::fmt::Debug;

use super::target::Target;
use crate::plan::Plan;

/// A computation over slots.
pub trait Operation: Any + Debug {
    /// The operations that replace it on an adapter; `None` if it is lowered itself.
    fn expand(&self, _: &mut Plan, _: &Target) -> Option<Operations> {
        None
    }

    /// Appends its steps to the plan; by default those of its expansion.
    fn lower(&self, plan: &mut Plan, target: &Target) {
        let parts = self.expand(plan, target).into_iter().flatten();
        parts.for_each(|op| op.lower(plan, target));
    }
}

/// Operations in execution order.
pub type Operations = Vec<Box<dyn Operation>>;

/// Downcasts an operation.
pub fn as_type<T: Operation>(op: &dyn Operation) -> Option<&T> {
    (op as &dyn Any).downcast_ref()
}
