//! A probe of the adapter: the subgroup lanes of the invocations of a workgroup of 8.

use super::graph::Graph;
use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, groups};

/// Workgroup size, as in `conv_broadcast`.
const SIZE: usize = 8;

pub(super) static SOURCE: Source = Source::new("lanes", files!("lanes")).with_subgroups();

/// Writes each invocation's lane and the number of invocations in its subgroup. The twin numbers
/// lanes in order.
#[derive(Clone, Debug)]
pub struct Locate {
    /// `[workgroups, 8, 2]`
    lanes: SlotId,
}

/// Appends [`Locate`] for `workgroups` workgroups; returns the slot `[workgroups, 8, 2]`.
pub fn locate(g: &mut Graph, workgroups: usize) -> SlotId {
    let lanes = g.words("lanes", &[workgroups, SIZE, 2], Role::Metric);
    g.push(Locate { lanes });
    lanes
}

impl Operation for Locate {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let twin = |t: &Tensors| {
            for (i, lane) in t.words_mut("lanes").chunks_mut(2).enumerate() {
                lane.copy_from_slice(&[(i % SIZE) as u32, SIZE as u32]);
            }
        };
        let workgroups = plan[self.lanes].len() / (2 * SIZE);
        plan.push(Step {
            label: "lanes".into(),
            kernel: SOURCE.kernel("locate", [], twin),
            bindings: vec![("lanes", self.lanes)],
            grid: [groups(workgroups, 1), 1, 1],
            flops: 0,
        });
    }
}

/// Whether each workgroup occupies lanes 0 to 7 of one subgroup, in any order.
pub fn are_together(lanes: &[u32]) -> bool {
    let together = |workgroup: &[u32]| {
        let mut taken = [false; SIZE];
        for pair in workgroup.chunks_exact(2) {
            match taken.get_mut(pair[0] as usize) {
                Some(taken) if pair[1] as usize == SIZE => *taken = true,
                _ => return false,
            }
        }
        taken == [true; SIZE]
    };
    !lanes.is_empty() && lanes.chunks(2 * SIZE).all(together)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workgroup(lanes: [u32; SIZE], shared: u32) -> Vec<u32> {
        lanes.into_iter().flat_map(|lane| [lane, shared]).collect()
    }

    #[test]
    fn a_workgroup_must_have_the_first_lanes_of_one_subgroup() {
        let in_order = workgroup([0, 1, 2, 3, 4, 5, 6, 7], 8);
        assert!(are_together(&in_order));
        assert!(are_together(&workgroup([7, 6, 5, 4, 3, 2, 1, 0], 8)));
        for (why, wrong) in [
            ("two subgroups of 4", workgroup([0, 1, 2, 3, 0, 1, 2, 3], 4)),
            (
                "every other lane",
                workgroup([0, 2, 4, 6, 8, 10, 12, 14], 8),
            ),
            (
                "the upper half",
                workgroup([8, 9, 10, 11, 12, 13, 14, 15], 8),
            ),
            ("with a stranger", workgroup([0, 1, 2, 3, 4, 5, 6, 7], 16)),
            ("one lane twice", workgroup([0, 0, 2, 3, 4, 5, 6, 7], 8)),
            ("nothing", Vec::new()),
        ] {
            assert!(!are_together(&wrong), "{why}");
            let second = [in_order.clone(), wrong].concat();
            assert!(
                second.len() == in_order.len() || !are_together(&second),
                "{why}"
            );
        }
    }
}
