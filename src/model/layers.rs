//! Stacks of layers. `forward` appends operations from the first layer to the last, `backward` in
//! reverse order.
//!
//! A chain of layers needs no automatic differentiation. The next layer applies the derivative of a
//! layer's activation when it computes its input gradient.

use crate::model::params::{self, ParamSpec, grad_name};
use crate::ops::conv::{self, Call, Contract, Conv, Epilogue, Side};
use crate::ops::dense::{self, Dense};
use crate::ops::{Activation, Graph, input};
use crate::plan::{Role, SlotId};

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
    /// Classes of labels that a dense layer reads behind its features, or 0.
    pub labels: usize,
    /// Its activation.
    pub activation: Activation,
}

impl Layer {
    /// Shape of one image's input.
    pub fn input(&self) -> Vec<usize> {
        match self.kind {
            Kind::Conv(spec) => spec.big.to_vec(),
            Kind::Deconv(spec) => spec.small.to_vec(),
            Kind::Dense(spec) => vec![spec.inputs],
        }
    }

    /// Shape of one image's output.
    pub fn output(&self) -> Vec<usize> {
        match self.kind {
            Kind::Conv(spec) => spec.small.to_vec(),
            Kind::Deconv(spec) => spec.big.to_vec(),
            Kind::Dense(spec) => vec![spec.outputs],
        }
    }

    /// Specifications of kernel and bias.
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

    /// The kernel of a convolution's forward pass or, `backward`, of its input gradient.
    fn call(&self, backward: bool) -> Call {
        match matches!(self.kind, Kind::Deconv(_)) == backward {
            true => Call::Correlate,
            false => Call::Adjoint,
        }
    }

    fn slot(&self, g: &Graph, param: usize, name: impl Fn(&str) -> String) -> SlotId {
        params::find(g, &name(&self.params()[param].name))
    }

    fn forward(&self, g: &mut Graph, x: SlotId) -> SlotId {
        let [weights, bias] = [0, 1].map(|i| self.slot(g, i, str::to_owned));
        let shape = [vec![g.batch], self.output()].concat();
        let y = g.slot(format!("{}.y", self.name), &shape, Role::Activation);
        let (label, activation) = (format!("{} forward", self.name), self.activation);
        let epilogue = Epilogue::Forward { bias, activation };
        match self.kind {
            Kind::Conv(spec) | Kind::Deconv(spec) => g.push(Contract {
                label,
                spec,
                call: self.call(false),
                x,
                weights,
                epilogue,
                y,
            }),
            Kind::Dense(spec) => g.push(dense::Forward {
                label,
                spec,
                activation,
                x,
                weights,
                bias,
                y,
            }),
        }
        y
    }

    /// Appends the gradients of kernel and bias.
    fn weight_grad(&self, g: &mut Graph, x: SlotId, dy: SlotId) {
        let [weights_grad, bias_grad] = [0, 1].map(|i| self.slot(g, i, grad_name));
        let layer = self.name.clone();
        let (spec, big, small, side) = match self.kind {
            Kind::Dense(spec) => {
                return g.push(dense::WeightGrad {
                    layer,
                    spec,
                    x,
                    dy,
                    weights_grad,
                    bias_grad,
                });
            }
            Kind::Conv(spec) => (spec, x, dy, Side::Small),
            Kind::Deconv(spec) => (spec, dy, x, Side::Big),
        };
        g.push(conv::WeightGrad {
            layer,
            spec,
            big,
            small,
            dy: side,
            weights_grad,
            bias_grad,
        });
    }

    /// Appends the gradient of the sums whose `activation` is the layer's input x.
    fn input_grad(&self, g: &mut Graph, x: SlotId, dy: SlotId, activation: Activation) -> SlotId {
        let weights = self.slot(g, 0, str::to_owned);
        let shape = g[x].shape.clone();
        let dx = g.slot(format!("{}.dx", self.name), &shape, Role::Activation);
        let label = format!("{} input gradient", self.name);
        let epilogue = Epilogue::Backward {
            gate: x,
            activation,
        };
        match self.kind {
            Kind::Conv(spec) | Kind::Deconv(spec) => g.push(Contract {
                label,
                spec,
                call: self.call(true),
                x: dy,
                weights,
                epilogue,
                y: dx,
            }),
            Kind::Dense(spec) => g.push(dense::InputGrad {
                label,
                spec,
                activation,
                dy,
                weights,
                x,
                dx,
            }),
        }
        dx
    }
}

/// A chain of layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// Subtracted from the input.
    pub shift: f64,
    /// From input to output.
    pub layers: Vec<Layer>,
}

/// The activations of a forward pass.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What each layer reads. With labels it is not the output of the layer before.
    inputs: Vec<SlotId>,
    /// The input, then the output of each layer.
    outputs: Vec<SlotId>,
}

impl Trace {
    /// Output of the last layer.
    pub fn output(&self) -> SlotId {
        self.outputs[self.outputs.len() - 1]
    }
}

impl Stack {
    /// The last layer.
    pub fn last(&self) -> &Layer {
        &self.layers[self.layers.len() - 1]
    }

    /// Specifications of all parameters.
    pub fn params(&self) -> impl Iterator<Item = ParamSpec> {
        self.layers.iter().flat_map(Layer::params)
    }

    /// Appends the forward pass from `x`; `labels [B]` go to the layer that takes them.
    pub fn forward(&self, g: &mut Graph, x: SlotId, labels: Option<SlotId>) -> Trace {
        let mut y = match self.shift {
            0.0 => x,
            shift => input::shift(g, shift, x),
        };
        let (mut inputs, mut outputs) = (Vec::new(), vec![y]);
        for layer in &self.layers {
            let x = match labels.filter(|_| layer.labels > 0) {
                Some(labels) => input::condition(g, &layer.name, layer.labels, y, labels),
                None => y,
            };
            y = layer.forward(g, x);
            inputs.push(x);
            outputs.push(y);
        }
        Trace { inputs, outputs }
    }

    /// Appends the gradients of all parameters and of the input; `dy` is the output's gradient. Returns
    /// the input's gradient.
    pub fn backward(&self, g: &mut Graph, trace: &Trace, dy: SlotId) -> SlotId {
        let dy = self.backward_all_params(g, trace, dy);
        self.input_grad(g, trace, 0, dy)
    }

    /// Appends the gradients of all parameters, without the input's gradient. Returns the gradient of
    /// the first layer's output.
    pub fn backward_all_params(&self, g: &mut Graph, trace: &Trace, mut dy: SlotId) -> SlotId {
        for (i, layer) in self.layers.iter().enumerate().rev() {
            layer.weight_grad(g, trace.inputs[i], dy);
            if i > 0 {
                dy = self.input_grad(g, trace, i, dy);
            }
        }
        dy
    }

    /// Appends the gradient of the sums of the layer before layer `i`, or of the stack's input.
    fn input_grad(&self, g: &mut Graph, trace: &Trace, i: usize, dy: SlotId) -> SlotId {
        let (layer, x) = (&self.layers[i], trace.inputs[i]);
        let before = i.checked_sub(1).map(|i| self.layers[i].activation);
        let dx = layer.input_grad(g, x, dy, before.unwrap_or_default());
        match layer.labels {
            0 => dx,
            classes => input::uncondition(g, &layer.name, classes, trace.outputs[i], dx),
        }
    }
}
