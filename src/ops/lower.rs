//! Lowering from operations to steps: expands operations, fuses chains if the adapter gains by it, and
//! lets each operation choose its kernels.

use super::fuse::fuse;
use super::graph::Graph;
use super::operation::{Operation, Operations};
use super::target::Target;
use crate::plan::{Bundling, Plan};

impl Graph {
    /// Lowers the operations to a plan for an adapter.
    pub fn lower(self, target: &Target) -> Plan {
        let mut plan = Plan::new(self.batch, target.caps.clone(), self.slots);
        let mut ops = Operations::new();
        for op in self.ops {
            expand(op, &mut plan, target, &mut ops);
        }
        if target.heuristics.fuse {
            plan.bundling = Bundling::All;
            fuse(&mut ops, &plan, target);
        } else if target.heuristics.bundle_light {
            plan.bundling = Bundling::Light;
        }
        for op in &ops {
            op.lower(&mut plan, target);
        }
        plan
    }
}

/// Appends what an operation consists of, down to operations that have no parts.
fn expand(op: Box<dyn Operation>, plan: &mut Plan, target: &Target, ops: &mut Operations) {
    match op.expand(plan, target) {
        Some(parts) => parts
            .into_iter()
            .for_each(|op| expand(op, plan, target, ops)),
        None => ops.push(op),
    }
}
