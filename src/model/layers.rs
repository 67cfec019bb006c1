//! Stacks of layers: `forward` appends steps left to right, `backward` right to left.
//!
//! There is no automatic differentiation; a chain of layers needs none. The derivative of a
//! layer's ReLU is applied by the layer behind it, when that computes its input gradient.

use crate::model::params::{ParamSpec, grad_name};
use crate::ops::conv::{self, Call, Conv, Epilogue, Side};
use crate::ops::dense::{self, Dense};
use crate::plan::{Caps, Plan, Role, SlotId, Variant};

/// What a layer computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Convolution, from the big image to the small one.
    Conv(Conv),
    /// Transposed convolution, from the small image to the big one.
    Deconv(Conv),
    /// Dense layer.
    Dense(Dense),
}

/// A layer with bias.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Name, such as `encoder.conv1`.
    pub name: String,
    /// What it computes.
    pub kind: Kind,
    /// Ends in a ReLU.
    pub relu: bool,
}

impl Layer {
    /// Shape of one image's output.
    pub fn output(&self) -> Vec<usize> {
        match self.kind {
            Kind::Conv(spec) => spec.small.to_vec(),
            Kind::Deconv(spec) => spec.big.to_vec(),
            Kind::Dense(spec) => vec![spec.outputs],
        }
    }

    /// Kernel and bias.
    pub fn params(&self) -> [ParamSpec; 2] {
        let shape = match self.kind {
            Kind::Conv(spec) | Kind::Deconv(spec) => spec.weight_shape().to_vec(),
            Kind::Dense(spec) => vec![spec.inputs, spec.outputs],
        };
        let outputs = self.output().last().copied().unwrap_or(0);
        [
            ParamSpec::kernel(&self.name, &shape),
            ParamSpec::bias(&self.name, outputs),
        ]
    }

    /// What runs on an adapter. Software ones run a dense layer as the 1×1 convolution of one
    /// picture with a row of B pixels where a tiled kernel serves it: they gain more from tiles
    /// than from parallelism.
    fn kind_on(&self, caps: &Caps, batch: usize) -> Kind {
        match self.kind {
            Kind::Dense(dense) if caps.software => {
                let spec = Conv {
                    big: [1, batch, dense.inputs],
                    small: [1, batch, dense.outputs],
                    kernel: 1,
                    stride: 1,
                    pad: [0, 0],
                };
                match conv::choose(caps, &spec) {
                    Variant::Plain => self.kind,
                    _ => Kind::Conv(spec),
                }
            }
            kind => kind,
        }
    }

    fn slot(&self, plan: &Plan, param: usize, name: impl Fn(&str) -> String) -> SlotId {
        let name = name(&self.params()[param].name);
        plan.find(&name)
            .unwrap_or_else(|| panic!("the plan declares no `{name}`"))
    }

    fn forward(&self, plan: &mut Plan, x: SlotId) -> SlotId {
        let [weights, bias] = [0, 1].map(|i| self.slot(plan, i, str::to_owned));
        let (label, name) = (format!("{} forward", self.name), format!("{}.y", self.name));
        let relu = self.relu;
        let epilogue = Epilogue::Forward { bias, relu };
        match self.kind_on(&plan.caps, plan.batch) {
            Kind::Conv(spec) => conv::contract(
                plan,
                label,
                name,
                spec,
                Call::Correlate,
                x,
                weights,
                epilogue,
            ),
            Kind::Deconv(spec) => {
                conv::contract(plan, label, name, spec, Call::Adjoint, x, weights, epilogue)
            }
            Kind::Dense(spec) => {
                let y = plan.slot(name, &[plan.batch, spec.outputs], Role::Activation);
                let operands = dense::Forward {
                    x,
                    weights,
                    bias,
                    y,
                };
                dense::forward(plan, label, spec, relu, operands);
                y
            }
        }
    }

    /// Gradients of kernel and bias.
    fn weight_grad(&self, plan: &mut Plan, x: SlotId, dy: SlotId) {
        let [weights_grad, bias_grad] = [0, 1].map(|i| self.slot(plan, i, grad_name));
        let (spec, big, small, side) = match self.kind_on(&plan.caps, plan.batch) {
            Kind::Dense(spec) => {
                let label = format!("{} weight gradient", self.name);
                let of = dense::WeightGrad {
                    x,
                    dy,
                    weights_grad,
                    bias_grad,
                };
                return dense::weight_grad(plan, label, spec, of);
            }
            Kind::Conv(spec) => (spec, x, dy, Side::Small),
            Kind::Deconv(spec) => (spec, dy, x, Side::Big),
        };
        let of = conv::WeightGrad {
            big,
            small,
            dy: side,
            weights_grad,
            bias_grad,
        };
        conv::weight_grad(plan, &self.name, spec, of);
    }

    /// Gradient of the layer's input x; zero where x is 0, if x is the output of a ReLU.
    fn input_grad(&self, plan: &mut Plan, x: SlotId, dy: SlotId, gated: bool) -> SlotId {
        let weights = self.slot(plan, 0, str::to_owned);
        let (label, name) = (
            format!("{} input gradient", self.name),
            format!("{}.dx", self.name),
        );
        let epilogue = Epilogue::Backward { gate: x, gated };
        match self.kind_on(&plan.caps, plan.batch) {
            Kind::Conv(spec) => conv::contract(
                plan,
                label,
                name,
                spec,
                Call::Adjoint,
                dy,
                weights,
                epilogue,
            ),
            Kind::Deconv(spec) => conv::contract(
                plan,
                label,
                name,
                spec,
                Call::Correlate,
                dy,
                weights,
                epilogue,
            ),
            Kind::Dense(spec) => {
                let dx = plan.slot(name, &[plan.batch, spec.inputs], Role::Activation);
                dense::input_grad(
                    plan,
                    label,
                    spec,
                    gated,
                    dense::InputGrad { dy, weights, x, dx },
                );
                dx
            }
        }
    }
}

/// A chain of layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// From input to output.
    pub layers: Vec<Layer>,
}

/// The activations of one forward pass: the input, then each layer's output.
#[derive(Clone, Debug)]
pub struct Trace(Vec<SlotId>);

impl Trace {
    /// Output of the last layer.
    pub fn output(&self) -> SlotId {
        self.0[self.0.len() - 1]
    }
}

impl Stack {
    /// Parameters of all layers.
    pub fn params(&self) -> impl Iterator<Item = ParamSpec> {
        self.layers.iter().flat_map(Layer::params)
    }

    /// Appends the forward pass from `x`.
    pub fn forward(&self, plan: &mut Plan, x: SlotId) -> Trace {
        let mut trace = vec![x];
        for layer in &self.layers {
            let y = layer.forward(plan, trace[trace.len() - 1]);
            trace.push(y);
        }
        Trace(trace)
    }

    /// Appends the gradients of all parameters and of the input, from the output's gradient.
    pub fn backward(&self, plan: &mut Plan, trace: &Trace, dy: SlotId) -> SlotId {
        let dx = self.backward_params(plan, trace, dy);
        self.layers[0].weight_grad(plan, trace.0[0], dx);
        self.layers[0].input_grad(plan, trace.0[0], dx, false)
    }

    /// Appends the gradients of all parameters; the input's is not needed.
    pub fn backward_all_params(&self, plan: &mut Plan, trace: &Trace, dy: SlotId) {
        let dx = self.backward_params(plan, trace, dy);
        self.layers[0].weight_grad(plan, trace.0[0], dx);
    }

    /// Appends the gradients of all layers but the first; gives the gradient of its output.
    fn backward_params(&self, plan: &mut Plan, trace: &Trace, dy: SlotId) -> SlotId {
        let mut dy = dy;
        for i in (1..self.layers.len()).rev() {
            let (layer, x) = (&self.layers[i], trace.0[i]);
            layer.weight_grad(plan, x, dy);
            dy = layer.input_grad(plan, x, dy, self.layers[i - 1].relu);
        }
        dy
    }
}
