//! The dispatches of train steps as a GPU runs them, and their SPIR-V as wgpu writes it.

use std::collections::BTreeSet;
use std::fmt::Write;

use cvae_gpu::data::{Binarize, Depth};
use cvae_gpu::model::{self, Feed, Filters, Likelihood, Model};
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::fetch::Packed;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::ops::{Target, Tiles, Tuning};
use cvae_gpu::plan::link::{self, Shader};
use cvae_gpu::plan::{Caps, Plan, Step};
use cvae_gpu::train::preset::PRESETS;
use naga::back::{pipeline_constants, spv};
use naga::proc::BoundsCheckPolicies;
use naga::proc::BoundsCheckPolicy::Unchecked;
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Constants that follow from the batch and from the size of the grid. They change the length of loops over
/// images and rows, and no register.
const OF_BATCH: [&str; 6] = ["BATCH", "BAND", "SPLITS", "ROWS", "RANGES", "SPAN"];

/// A dispatch for the compiler.
pub struct Job {
    /// Model, batch and choices of the tuner, then the labels of the steps.
    pub label: String,
    /// Its kernels and their constants, without those that follow from the batch.
    pub kernels: String,
    /// Known to use scratch memory.
    pub known: bool,
    pub text: String,
    pub entry: String,
    pub constants: Vec<(String, f64)>,
    pub bindings: Vec<u32>,
}

impl Job {
    pub fn of(place: &str, steps: &[&Step]) -> Job {
        let dispatch = link::dispatch(steps, &Default::default()).expect("a dispatch");
        let (text, entry, constants) = match &dispatch.shader {
            Shader::Kernel(kernel) => {
                let constants = kernel.constants.iter();
                let constants = constants.map(|(name, value)| ((*name).to_owned(), *value));
                (kernel.source.module(), kernel.entry, constants.collect())
            }
            Shader::Linked(text) => (text.clone(), "main", Vec::new()),
        };
        Job {
            label: format!("{place}: {}", dispatch.label),
            kernels: steps.iter().map(|step| describe(step)).collect(),
            known: steps.iter().any(|step| known(step)),
            text,
            entry: entry.to_owned(),
            constants,
            bindings: dispatch.bindings.iter().map(|(b, _)| b.number).collect(),
        }
    }

    /// The SPIR-V that wgpu writes for a trusted module.
    pub fn spirv(&self) -> Vec<u32> {
        let label = &self.label;
        let module = naga::front::wgsl::parse_str(&self.text)
            .unwrap_or_else(|e| panic!("{label}: {}", e.emit_to_string(&self.text)));
        let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|e| panic!("{label}: {}", e.emit_to_string(&self.text)));
        let stage = naga::ShaderStage::Compute;
        let constants = self.constants.iter().cloned().collect();
        let (module, info) = pipeline_constants::process_overrides(
            &module,
            &info,
            Some((stage, &self.entry)),
            &constants,
        )
        .unwrap_or_else(|e| panic!("{label}: {e}"));
        let bound = module.global_variables.iter();
        let place = |b: naga::ResourceBinding| spv::BindingInfo {
            descriptor_set: b.group,
            binding: b.binding,
            binding_array_size: None,
        };
        let options = spv::Options {
            lang_version: (1, 6),
            flags: spv::WriterFlags::LABEL_VARYINGS | spv::WriterFlags::FORCE_POINT_SIZE,
            binding_map: bound
                .filter_map(|(_, variable)| variable.binding)
                .map(|b| (b, place(b)))
                .collect(),
            bounds_check_policies: BoundsCheckPolicies {
                index: Unchecked,
                buffer: Unchecked,
                image_load: Unchecked,
                binding_array: Unchecked,
            },
            zero_initialize_workgroup_memory: spv::ZeroInitializeWorkgroupMemoryMode::None,
            force_loop_bounding: false,
            ray_query_initialization_tracking: false,
            mesh_shader_primitive_indices_clamp: false,
            emit_int_div_checks: false,
            task_dispatch_limits: None,
            ..Default::default()
        };
        let pipeline = spv::PipelineOptions {
            entry_point: self.entry.clone(),
            shader_stage: stage,
        };
        spv::write_vec(&module, &info, &options, Some(&pipeline))
            .unwrap_or_else(|e| panic!("{label}: {e}"))
    }
}

/// Kernel and constants of a step, without those that follow from the batch.
fn describe(step: &Step) -> String {
    let kernel = &step.kernel;
    let mut text = format!("{}::{}", kernel.source.name, kernel.entry);
    let constants = kernel.constants.iter();
    for (name, value) in constants.filter(|(name, _)| !OF_BATCH.contains(name)) {
        write!(text, " {name}={value}").expect("a string");
    }
    text + "; "
}

/// A thin weight gradient of 25 or 27 taps: NIR does not unroll its loops, so its sums, which they index,
/// are in scratch memory.
fn known(step: &Step) -> bool {
    let kernel = &step.kernel;
    let constant = |wanted: &str| {
        let mut constants = kernel.constants.iter();
        constants
            .find(|(name, _)| *name == wanted)
            .map_or(0.0, |(_, value)| *value)
    };
    let taps = constant("KERNEL").powi(2) * constant("BIG_C");
    kernel.source.name == "conv_thin" && kernel.entry.starts_with("weight_grad") && taps >= 25.0
}

/// A model and the images that it trains on.
pub struct Case {
    pub name: &'static str,
    pub model: Model,
    binarize: Option<Binarize>,
}

impl Case {
    /// The train step.
    pub fn plan(&self, batch: usize, target: &Target) -> Plan {
        let images = Packed {
            shape: self.model.image,
            count: 60_000,
            depth: match self.binarize {
                None => Depth::Bit,
                Some(_) => Depth::Byte,
            },
            drawn: self.binarize == Some(Binarize::Stochastic),
            flipped: false,
            window: 60_000,
        };
        let feed = Feed::Images("images", images, Order::Shuffled);
        let plan = model::train_step(&self.model, feed, Adam::default(), batch, target);
        plan.check().expect("a sound plan");
        plan
    }
}

/// The presets, and three convolutions for colour images (docs/models.md).
pub fn cases() -> Vec<Case> {
    let presets = PRESETS.iter().map(|preset| Case {
        name: preset.name,
        model: (preset.model)([28, 28, 1]),
        binarize: preset.binarize,
    });
    let filters = Filters {
        latent_dim: 16,
        ..Filters::of_encoder([64, 64, 3], vec![16, 32, 64])
    };
    let colour = Case {
        name: "colour",
        model: Model {
            likelihood: Likelihood::Gaussian,
            ..filters.model()
        },
        binarize: Some(Binarize::None),
    };
    presets.chain([colour]).collect()
}

/// A discrete GPU, with bindings as large as AMD's driver allows.
pub fn gpu() -> Target {
    Target::new(Caps {
        max_binding_bytes: 2 << 30,
        ..Caps::gpu()
    })
}

/// The tile sizes, and no fusion.
fn tunings() -> Vec<Tuning> {
    let none = Tuning::default();
    let tiles = Tiles::ALL.map(|tiles| Tuning {
        tiles: Some(tiles),
        ..none
    });
    let unfused = Tuning {
        fuse: Some(false),
        ..none
    };
    [&[none], &tiles[..], &[unfused]].concat()
}

/// Steps of each dispatch of a plan.
pub fn bundles(plan: &Plan) -> Vec<Vec<&Step>> {
    let bundles = plan.bundles().expect("bundles").into_iter();
    let steps = |bundle: Vec<usize>| bundle.iter().map(|&s| &plan.steps()[s]).collect();
    bundles.map(steps).collect()
}

/// Every dispatch of every case, once. With `briefly`, dispatches that differ only in constants of the
/// batch count as one.
pub fn all(briefly: bool) -> Vec<Job> {
    let (mut jobs, mut seen) = (Vec::new(), BTreeSet::new());
    for case in cases() {
        for batch in [32, 1024, 1] {
            for tuning in tunings() {
                let plan = case.plan(batch, &gpu().tuned(&tuning));
                let place = format!("{}, batch {batch}, {tuning}", case.name);
                for steps in bundles(&plan) {
                    let job = Job::of(&place, &steps);
                    let key = match briefly {
                        true => job.kernels.clone(),
                        false => format!("{} {} {:?}", job.entry, job.text, job.constants),
                    };
                    if seen.insert(key) {
                        jobs.push(job);
                    }
                }
            }
        }
    }
    jobs
}
