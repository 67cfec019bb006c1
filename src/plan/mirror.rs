//! Mirrors: slots that kernels read from a texture.
//!
//! On software adapters a texel loads several times faster than four values of a buffer, and stores
//! several times slower. Kernels therefore write buffers and read *mirrors*: textures over the same
//! memory. If the driver cannot alias memory, a mirror is a copy, updated before the first dispatch
//! that reads it after a write.

use std::collections::HashSet;

use super::part::Part;
use super::{Bundle, Plan, PlanError, SlotId};

impl Plan {
    /// For each dispatch of `bundles`, the mirrors to copy before it if mirrors are copies.
    ///
    /// # Errors
    ///
    /// [`PlanError::Step`] if a step and its shader disagree.
    pub fn copies(&self, bundles: &[Bundle]) -> Result<Vec<Vec<SlotId>>, PlanError> {
        let mut fresh = HashSet::new();
        let of_bundle = |bundle: &Bundle| {
            let (mut copies, mut written) = (Vec::new(), Vec::new());
            for &step in bundle {
                for (binding, slot) in Part::of(&self.steps()[step])?.bindings() {
                    if self[slot].mirror_of.is_some() && fresh.insert(slot) {
                        copies.push(slot);
                    }
                    if binding.writes {
                        written.push(slot);
                    }
                }
            }
            fresh.retain(|&mirror| !written.iter().any(|&slot| self.overlap(mirror, slot)));
            Ok(copies)
        };
        bundles.iter().map(of_bundle).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{self, Feed, Model};
    use crate::ops::adam::Adam;
    use crate::ops::{Heuristics, Target};
    use crate::plan::Caps;

    /// A train step lowered for a software adapter.
    fn step(fuse: bool) -> Plan {
        let target = Target::new(Caps {
            subgroup_min: 8,
            subgroup_max: 8,
            software: true,
            ..Caps::portable()
        });
        let target = Target {
            heuristics: Heuristics {
                fuse,
                ..target.heuristics
            },
            ..target
        };
        let adam = Adam::default();
        model::train_step(&Model::default(), Feed::Injected, adam, 32, &target)
    }

    #[test]
    fn no_step_writes_what_it_reads_the_mirror_of() {
        let right = step(false);
        let mut refused = 0;
        for (i, step) in right.steps().iter().enumerate() {
            let bound: Vec<_> = Part::of(step).expect("a part").bindings().collect();
            for (_, mirror) in bound.iter().filter(|(b, _)| b.texels) {
                for (output, _) in bound.iter().filter(|(b, _)| b.writes) {
                    let mut wrong = right.clone();
                    for (name, id) in &mut wrong.steps[i].bindings {
                        if *name == output.name {
                            *id = right.origin(*mirror);
                        }
                    }
                    let error = wrong.check().expect_err("a race").to_string();
                    assert!(error.contains("share memory"), "{error}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 20, "{refused}");
    }

    fn names(plan: &Plan, slots: &[SlotId]) -> Vec<String> {
        slots.iter().map(|&id| plan[id].name.clone()).collect()
    }

    /// Walks a train step and tracks which mirrors are up to date.
    #[test]
    fn every_mirror_is_up_to_date_when_it_is_read_and_copied_no_more_often() {
        for fuse in [false, true] {
            let plan = step(fuse);
            plan.check().expect("a sound plan");
            let bundles = plan.bundles().expect("bundles");
            let copies = plan.copies(&bundles).expect("copies");
            let mut held = HashSet::new();
            for (bundle, copies) in bundles.iter().zip(&copies) {
                for mirror in copies {
                    assert!(held.insert(*mirror), "{:?}", names(&plan, &[*mirror]));
                }
                let parts = bundle
                    .iter()
                    .map(|&i| Part::of(&plan.steps()[i]).expect("a part"));
                let bound: Vec<_> = parts
                    .flat_map(|part| part.bindings().collect::<Vec<_>>())
                    .collect();
                for &(binding, slot) in &bound {
                    let stale = plan[slot].mirror_of.is_some() && !held.contains(&slot);
                    assert!(!stale, "{:?}", names(&plan, &[slot]));
                    assert_eq!(binding.texels, plan[slot].mirror_of.is_some());
                }
                for &(_, slot) in bound.iter().filter(|(binding, _)| binding.writes) {
                    held.retain(|&mirror| !plan.overlap(mirror, slot));
                }
            }
            let params = plan.find("params").and_then(|arena| {
                let mut slots = plan.slots();
                slots
                    .find(|(_, s)| s.mirror_of == Some(arena))
                    .map(|(id, _)| id)
            });
            let params = params.expect("a mirror of the weights");
            let times = copies.iter().flatten().filter(|&&id| id == params).count();
            assert_eq!(times, 1, "weights change once a step, after every read");
        }
    }
}
