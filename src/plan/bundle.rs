//! Bundling: which steps of a plan share a dispatch.
//!
//! Between dependent dispatches a GPU drains and refills, which at small batches takes as long as the
//! work. Independent steps therefore share a dispatch, each with its own workgroups; [`super::link`]
//! writes the shader. The plan stays a list of plain steps, and every check uses that list.

use super::check::PlanError;
use super::part::Part;
use super::shader::Binding;
use super::{Bundling, Plan, SlotId, link};

/// Indices of the steps that share a dispatch.
pub type Bundle = Vec<usize>;

impl Plan {
    /// The dispatches in execution order. Each step follows all steps that it depends on.
    ///
    /// With [`Bundling::Off`] each step is a dispatch of its own.
    ///
    /// # Errors
    ///
    /// [`PlanError::Step`] if a step and its shader disagree.
    pub fn bundles(&self) -> Result<Vec<Bundle>, PlanError> {
        let parts: Vec<Part> = self
            .steps()
            .iter()
            .map(Part::of)
            .collect::<Result<_, _>>()?;
        if self.bundling != Bundling::All {
            return Ok(self.bundle_small(&parts));
        }
        let predecessors = |i: usize| {
            (0..i)
                .filter(|&j| self.depends(&parts[i], &parts[j]))
                .collect()
        };
        let predecessors: Vec<Vec<usize>> = (0..parts.len()).map(predecessors).collect();
        // Length of the longest chain of dispatches after each step; long chains go first.
        let mut urgency = vec![0; parts.len()];
        for i in (0..parts.len()).rev() {
            for &j in &predecessors[i] {
                urgency[j] = urgency[j].max(urgency[i] + 1);
            }
        }
        let mut waiting: Vec<usize> = (0..parts.len()).collect();
        let mut bundles = Vec::new();
        while !waiting.is_empty() {
            let is_ready = |&i: &usize| !predecessors[i].iter().any(|j| waiting.contains(j));
            let mut ready: Vec<usize> = waiting.iter().copied().filter(is_ready).collect();
            ready.sort_by_key(|&i| std::cmp::Reverse(urgency[i]));
            let bundle = self.first_bundle(&parts, &ready);
            waiting.retain(|i| !bundle.contains(i));
            bundles.push(bundle);
        }
        Ok(bundles)
    }

    /// One dispatch per step, but light steps wait until another step needs their results, and then
    /// share a dispatch. Only the update needs most of them.
    fn bundle_small(&self, parts: &[Part]) -> Vec<Bundle> {
        let (mut bundles, mut small) = (Vec::new(), Vec::<usize>::new());
        for (i, part) in parts.iter().enumerate() {
            if small.iter().any(|&j| self.depends(part, &parts[j])) {
                bundles.extend(self.pack(parts, std::mem::take(&mut small)));
            }
            if self.bundling == Bundling::Light && part.step.kernel.source.light {
                small.push(i);
            } else {
                bundles.push(vec![i]);
            }
        }
        bundles.extend(self.pack(parts, small));
        bundles
    }

    /// Packs independent steps into few dispatches. On a CPU each workgroup steps through the code of
    /// all parts, so steps of many workgroups do not mix with steps of few.
    fn pack(&self, parts: &[Part], steps: Vec<usize>) -> Vec<Bundle> {
        const FEW: u32 = 16;
        let has_few = |i: &usize| parts[*i].step.grid.iter().product::<u32>() <= FEW;
        let (few, many): (Vec<_>, Vec<_>) = steps.into_iter().partition(has_few);
        let mut bundles = Vec::new();
        for mut steps in [many, few] {
            while !steps.is_empty() {
                let bundle = self.first_bundle(parts, &steps);
                steps.retain(|i| !bundle.contains(i));
                bundles.push(bundle);
            }
        }
        bundles
    }

    /// The first of these steps and the later ones that can share its dispatch.
    fn first_bundle(&self, parts: &[Part], steps: &[usize]) -> Bundle {
        let mut bundle = Bundle::new();
        for &i in steps {
            let mut members: Vec<Part> = bundle.iter().map(|&j: &usize| parts[j]).collect();
            members.push(parts[i]);
            if members.len() == 1 || self.can_share(&members) {
                bundle.push(i);
            }
        }
        bundle
    }

    /// Whether the two steps must keep their order: one writes memory that the other uses.
    fn depends(&self, later: &Part, earlier: &Part) -> bool {
        later.bindings().any(|(a, a_slot)| {
            let meets = |(b, b_slot): (&Binding, SlotId)| {
                (a.writes || b.writes) && self.overlap(a_slot, b_slot)
            };
            earlier.bindings().any(meets)
        })
    }

    /// Whether the last of these independent steps fits into one dispatch with the others.
    fn can_share(&self, parts: &[Part]) -> bool {
        let Some((last, others)) = parts.split_last() else {
            return false;
        };
        let mut bound = others.iter().flat_map(Part::bindings);
        let clash = bound.any(|(a, a_slot)| {
            let mut own = last.bindings();
            own.any(|(b, b_slot)| self.conflict((a_slot, a.writable), (b_slot, b.writable)))
        });
        !clash && link::fits(parts, &self.caps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Depth;
    use crate::model::{self, Feed, Model};
    use crate::ops::adam::Adam;
    use crate::ops::fetch::Packed;
    use crate::ops::rng::Order;
    use crate::ops::{Heuristics, Target, Tiles, Tuning};
    use crate::plan::Caps;

    fn step(target: &Target) -> Plan {
        let adam = Adam::default();
        model::train_step(&Model::default(), Feed::Injected, adam, 4, target)
    }

    /// A train step that fetches its images from a data set.
    fn trained(target: &Target) -> Plan {
        let data = Packed {
            shape: Model::default().image,
            count: 100,
            depth: Depth::Bit,
            drawn: false,
            flipped: false,
            window: 100,
        };
        let feed = Feed::Images("train.images", data, Order::Shuffled);
        model::train_step(&Model::default(), feed, Adam::default(), 4, target)
    }

    #[test]
    fn every_step_is_in_one_bundle_behind_all_that_it_depends_on() {
        let buffers = |max_buffers| {
            Target::new(Caps {
                max_buffers,
                ..Caps::portable()
            })
        };
        for target in [buffers(8), buffers(16), buffers(32), cpu(8), cpu(32)] {
            let plan = step(&target);
            let bundles = plan.bundles().expect("bundles");
            let mut place = vec![None; plan.steps().len()];
            for (at, &i) in bundles
                .iter()
                .enumerate()
                .flat_map(|(at, b)| b.iter().map(move |i| (at, i)))
            {
                assert_eq!(place[i].replace(at), None, "step {i} runs twice");
            }
            let parts: Vec<Part> = plan
                .steps()
                .iter()
                .map(|s| Part::of(s).expect("a part"))
                .collect();
            for (j, later) in parts.iter().enumerate() {
                assert!(place[j].is_some(), "{} never runs", later.step.label);
                for (i, earlier) in parts[..j].iter().enumerate() {
                    if plan.depends(later, earlier) {
                        let labels = (&earlier.step.label, &later.step.label);
                        assert!(place[i] < place[j], "{labels:?}");
                    }
                }
            }
        }
    }

    fn cpu(max_buffers: usize) -> Target {
        let target = Target::new(Caps {
            max_buffers,
            software: true,
            ..Caps::portable()
        });
        Target {
            heuristics: Heuristics {
                texels: false,
                tiles: Tiles::Medium,
                groups: 1024,
                ..target.heuristics
            },
            ..target
        }
    }

    // The large sums are those of conv2, deconv1 and deconv2.
    #[test]
    fn on_a_cpu_small_steps_wait_for_what_needs_them_and_share_dispatches() {
        let plan = trained(&cpu(32));
        let label = |&i: &usize| plan.steps()[i].label.as_str();
        let bundles = plan.bundles().expect("bundles");
        let shared = bundles.iter().filter(|bundle| bundle.len() > 1);
        let shared: Vec<Vec<&str>> = shared.map(|b| b.iter().map(label).collect()).collect();
        let [drawn, large, few] = &shared[..] else {
            panic!("{shared:?}");
        };
        assert_eq!(drawn[..], ["shuffle", "noise"]);
        assert_eq!(large.len(), 3);
        assert!(
            large
                .iter()
                .all(|label| label.ends_with("weight gradient sum"))
        );
        assert_eq!(few[0], "elbo batch means");
        let last: Vec<&str> = bundles.iter().rev().flatten().map(label).collect();
        assert_eq!(last[..2], ["adam update", "state advance"]);
        let sums = plan
            .steps()
            .iter()
            .filter(|s| s.kernel.source.name == "reduce");
        assert_eq!(sums.count(), large.len() + few.len() - 1);
    }

    #[test]
    fn without_bundles_a_dispatch_is_a_step() {
        let fuse = Some(false);
        let plan = step(&Target::portable().tuned(&Tuning {
            fuse,
            ..Tuning::default()
        }));
        let alone: Vec<Bundle> = (0..plan.steps().len()).map(|i| vec![i]).collect();
        assert_eq!(plan.bundles().expect("bundles"), alone);
    }
}
