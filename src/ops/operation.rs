//! What an operation is.

use std::any::Any;
use std::fmt::Debug;

use super::target::Target;
use crate::plan::Plan;

/// Something to compute, over slots.
pub trait Operation: Any + Debug {
    /// What it consists of on an adapter; nothing where it is one thing.
    fn expand(&self, _: &mut Plan, _: &Target) -> Option<Operations> {
        None
    }

    /// Appends its steps to the plan.
    fn lower(&self, plan: &mut Plan, target: &Target);
}

/// Operations in execution order.
pub type Operations = Vec<Box<dyn Operation>>;

/// The operation as one of that type, if it is.
pub fn as_type<T: Operation>(op: &dyn Operation) -> Option<&T> {
    (op as &dyn Any).downcast_ref()
}
