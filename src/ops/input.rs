//! What enters a stack: images minus a constant, and features followed by a one-hot label.

use super::graph::Graph;
use super::operation::Operation;
use super::target::Target;
use super::wgsl::files;
use crate::plan::tensors::Tensors;
use crate::plan::{Plan, Role, SlotId, Source, Step, groups};

pub(super) static SOURCE: Source = Source::new("input", files!("input"));

/// y = x − shift.
#[derive(Clone, Debug)]
pub struct Shift {
    /// The constant.
    pub shift: f64,
    /// `[B, …]`
    pub x: SlotId,
    /// In the shape of x.
    pub y: SlotId,
}

/// y: the features x, then the label as a one-hot vector.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Label of the step.
    pub label: String,
    /// Number of classes.
    pub classes: usize,
    /// `[B, …]`
    pub x: SlotId,
    /// `[B]`, each below `classes`
    pub labels: SlotId,
    /// `[B, features + classes]`
    pub y: SlotId,
}

/// The gradient of the features of [`Condition`].
#[derive(Clone, Debug)]
pub struct Uncondition {
    /// Label of the step.
    pub label: String,
    /// Number of classes.
    pub classes: usize,
    /// `[B, features + classes]`
    pub dy: SlotId,
    /// `[B, …]`
    pub dx: SlotId,
}

/// The labels of a batch.
#[derive(Clone, Debug)]
pub struct Gather {
    /// Of all images, `[images]`
    pub all: SlotId,
    /// Indices of the batch's images, `[B]`
    pub indices: SlotId,
    /// `[B]`
    pub labels: SlotId,
}

/// Appends [`Gather`] of the labels of the `count` images in the slot `images`; returns those of the
/// batch, `[B]`.
pub fn gather(g: &mut Graph, images: &str, count: usize, indices: SlotId) -> SlotId {
    let all = g.words(format!("{images}.labels"), &[count], Role::Data);
    let labels = g.words("labels", &[g.batch], Role::Activation);
    g.push(Gather {
        all,
        indices,
        labels,
    });
    labels
}

/// Appends [`Shift`]; returns y.
pub fn shift(g: &mut Graph, shift: f64, x: SlotId) -> SlotId {
    let shape = g[x].shape.clone();
    let y = g.slot("x.shifted", &shape, Role::Activation);
    g.push(Shift { shift, x, y });
    y
}

/// Appends [`Condition`] to a layer's input; returns y.
pub fn condition(g: &mut Graph, layer: &str, classes: usize, x: SlotId, labels: SlotId) -> SlotId {
    let features = g[x].len() / g.batch;
    let y = g.slot(
        format!("{layer}.input"),
        &[g.batch, features + classes],
        Role::Activation,
    );
    g.push(Condition {
        label: format!("{layer} labels"),
        classes,
        x,
        labels,
        y,
    });
    y
}

/// Appends [`Uncondition`]; `x` are the features, dy the gradient of the layer's input. Returns dx.
pub fn uncondition(g: &mut Graph, layer: &str, classes: usize, x: SlotId, dy: SlotId) -> SlotId {
    let shape = g[x].shape.clone();
    let dx = g.slot(format!("{layer}.dfeatures"), &shape, Role::Activation);
    g.push(Uncondition {
        label: format!("{layer} features gradient"),
        classes,
        dy,
        dx,
    });
    dx
}

fn constants(batch: usize, values: usize) -> Vec<(&'static str, f64)> {
    vec![("BATCH", batch as f64), ("VALUES", values as f64)]
}

impl Operation for Shift {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (batch, shift) = (plan.batch, self.shift);
        let values = plan[self.x].len() / batch;
        let twin = move |t: &Tensors| {
            let x = t.floats("x");
            let mut y = t.floats_mut("y");
            y.iter_mut().zip(&*x).for_each(|(y, x)| *y = x - shift);
        };
        let mut constants = constants(batch, values);
        constants.push(("SHIFT", shift));
        plan.push(Step {
            label: "input shift".into(),
            kernel: SOURCE.kernel("shift", constants, twin),
            bindings: vec![("x", self.x), ("y", self.y)],
            grid: [groups(values, 64), groups(batch, 1), 1],
            flops: (batch * values) as u64,
        });
    }
}

impl Operation for Condition {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (batch, classes) = (plan.batch, self.classes);
        let values = plan[self.x].len() / batch;
        let twin = move |t: &Tensors| {
            let (x, labels) = (t.floats("x"), t.words("labels"));
            let mut y = t.floats_mut("y");
            for (n, y) in y.chunks_mut(values + classes).enumerate() {
                let (features, one_hot) = y.split_at_mut(values);
                features.copy_from_slice(&x[n * values..][..values]);
                for (class, y) in one_hot.iter_mut().enumerate() {
                    *y = f64::from(u8::from(labels[n] as usize == class));
                }
            }
        };
        let mut constants = constants(batch, values);
        constants.push(("CLASSES", classes as f64));
        plan.push(Step {
            label: self.label.clone(),
            kernel: SOURCE.kernel("condition", constants, twin),
            bindings: vec![("x", self.x), ("labels", self.labels), ("y", self.y)],
            grid: [groups(values + classes, 64), groups(batch, 1), 1],
            flops: 0,
        });
    }
}

impl Operation for Uncondition {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let (batch, classes) = (plan.batch, self.classes);
        let values = plan[self.dx].len() / batch;
        let twin = move |t: &Tensors| {
            let dy = t.floats("dy");
            let mut dx = t.floats_mut("dx");
            let rows = dx.chunks_mut(values).zip(dy.chunks(values + classes));
            rows.for_each(|(dx, dy)| dx.copy_from_slice(&dy[..values]));
        };
        let mut constants = constants(batch, values);
        constants.push(("CLASSES", classes as f64));
        plan.push(Step {
            label: self.label.clone(),
            kernel: SOURCE.kernel("uncondition", constants, twin),
            bindings: vec![("dy", self.dy), ("dx", self.dx)],
            grid: [groups(values, 64), groups(batch, 1), 1],
            flops: 0,
        });
    }
}

impl Operation for Gather {
    fn lower(&self, plan: &mut Plan, _: &Target) {
        let batch = plan.batch;
        let twin = move |t: &Tensors| {
            let (all, indices) = (t.words("all_labels"), t.words("indices"));
            let mut labels = t.words_mut("batch_labels");
            let images = labels.iter_mut().zip(&*indices);
            images.for_each(|(label, &index)| *label = all[index as usize]);
        };
        plan.push(Step {
            label: "labels".into(),
            kernel: SOURCE.kernel("gather", constants(batch, 1), twin),
            bindings: vec![
                ("all_labels", self.all),
                ("indices", self.indices),
                ("batch_labels", self.labels),
            ],
            grid: [groups(batch, 64), 1, 1],
            flops: 0,
        });
    }
}
