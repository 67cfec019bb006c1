//! Each dispatch as HLSL for DirectX 12, by the same naga calls and options as in wgpu-hal.
//! `scripts/check-fxc` compiles the result with Microsoft's compiler.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::path::Path;

use cvae_gpu::data::Depth;
use cvae_gpu::explore::plans as explore;
use cvae_gpu::model::{self, Feed, Filters, Loss, Model};
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::conv::Variant;
use cvae_gpu::ops::fetch::Packed;
use cvae_gpu::ops::peak;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::ops::{Graph, Target, Tiles, Tuning};
use cvae_gpu::plan::link::{self, Dispatch, Shader};
use cvae_gpu::plan::shader::Binding;
use cvae_gpu::plan::{Caps, Plan, Step};
use naga::ShaderStage;
use naga::back::{hlsl, pipeline_constants};
use naga::valid::Capabilities;
use sha2::{Digest, Sha256};

/// Registers and options of `create_pipeline_layout` and `load_shader` in src/dx12/device.rs of wgpu-hal,
/// with `ShaderRuntimeChecks::unchecked`.
fn options(bindings: &[Binding]) -> hlsl::Options {
    let mut sorted: Vec<&Binding> = bindings.iter().collect();
    sorted.sort_by_key(|binding| binding.number);
    let (mut srv, mut uav) = (hlsl::BindTarget::default(), hlsl::BindTarget::default());
    let mut binding_map = hlsl::BindingMap::default();
    for binding in sorted {
        // A storage texture is an unordered access view even if it is read-only.
        let next = match binding.writable || binding.texels {
            true => &mut uav,
            false => &mut srv,
        };
        let (group, binding) = (0, binding.number);
        binding_map.insert(naga::ResourceBinding { group, binding }, *next);
        next.register += 1;
    }
    hlsl::Options {
        shader_model: hlsl::ShaderModel::V5_1,
        binding_map,
        fake_missing_bindings: false,
        special_constants_binding: Some(hlsl::BindTarget::default()),
        zero_initialize_workgroup_memory: false,
        restrict_indexing: false,
        force_loop_bounding: false,
        task_dispatch_limits: None,
        mesh_shader_primitive_indices_clamp: false,
        ray_query_initialization_tracking: false,
        ..Default::default()
    }
}

/// The HLSL of a dispatch, after a line that names its entry point.
fn emit(dispatch: &Dispatch) -> String {
    let mut constants = HashMap::new();
    let (text, entry) = match &dispatch.shader {
        Shader::Kernel(kernel) => {
            let values = kernel.constants.iter();
            constants.extend(values.map(|(name, value)| ((*name).to_owned(), *value)));
            (kernel.source.module(), kernel.entry)
        }
        Shader::Linked(text) => (text.clone(), "main"),
    };
    let label = &dispatch.label;
    let (module, info) = super::shaders::parse(label, &text, Capabilities::empty());
    let stage = (ShaderStage::Compute, entry);
    let constants = constants.into_iter().collect();
    let (module, info) =
        pipeline_constants::process_overrides(&module, &info, Some(stage), &constants)
            .unwrap_or_else(|e| panic!("{label}: {e}"));
    let bindings: Vec<Binding> = dispatch.bindings.iter().map(|(b, _)| b.clone()).collect();
    let pipeline = hlsl::PipelineOptions {
        entry_point: Some((ShaderStage::Compute, entry.to_owned())),
    };
    let (options, mut text) = (options(&bindings), String::new());
    let reflection = hlsl::Writer::new(&mut text, &options, &pipeline)
        .write(&module, &info, None)
        .unwrap_or_else(|e| panic!("{label}: {e}"));
    let names = reflection.entry_point_names;
    let name = names[0].as_ref().unwrap_or_else(|e| panic!("{label}: {e}"));
    let mut types = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("typedef ")) {
        assert!(types.insert(line), "{label}: {line} twice");
    }
    format!("// {name}\n{text}")
}

fn packed(model: &Model, count: usize, depth: Depth) -> Packed {
    Packed {
        shape: model.image,
        count,
        depth,
        drawn: false,
        flipped: false,
        window: count,
    }
}

/// The plans that `train` compiles before its first step on MNIST.
pub(super) fn start(model: &Model, target: &Target) -> Vec<Plan> {
    let feed = |count, order| Feed::Images("images", packed(model, count, Depth::Bit), order);
    let test = feed(10_000, Order::File);
    let train = feed(60_000, Order::Shuffled);
    vec![
        model::train_step(model, train, Adam::default(), 32, target),
        model::evaluate(model, test, 32, target),
        model::evaluate(model, test, 16, target),
        model::sum_terms(10_000, target),
        model::reconstruct(model, test, 16, target),
        model::decode(model, 20, target).0,
    ]
}

pub(super) fn step(model: &Model, target: &Target) -> Vec<Plan> {
    let feed = Feed::Images("images", packed(model, 60_000, Depth::Bit), Order::Shuffled);
    vec![model::train_step(model, feed, Adam::default(), 32, target)]
}

/// The plans of inference and of `bench`.
pub(super) fn questions(model: &Model, target: &Target) -> Vec<Plan> {
    let images = packed(model, 10_000, Depth::Byte);
    let bound = explore::bound(model, images, 5, 64, target);
    let peak = |add: &dyn Fn(&mut Graph)| {
        let mut graph = Graph::new(1);
        add(&mut graph);
        graph.lower(target)
    };
    vec![
        explore::encode(model, images, 64, target).0,
        explore::sample(model, 100, 64, target).0,
        bound.encode,
        bound.draw,
        bound.record,
        peak(&|g| peak::multiply_add(g, 1 << 20, 256)),
        peak(&|g| peak::copy(g, 1 << 24)),
    ]
}

/// Kinds of DirectX 12 adapters with every tuning choice, and models.
fn sets() -> Vec<(&'static str, Vec<Plan>)> {
    let gpu = Target::gpu();
    let buffers = |max_buffers| {
        Target::new(Caps {
            max_buffers,
            ..Caps::gpu()
        })
    };
    let none = Tuning::default();
    let tiles = |tiles| {
        gpu.tuned(&Tuning {
            tiles: Some(tiles),
            groups: Some(16),
            ..none
        })
    };
    let pinned = |variant| {
        gpu.tuned(&Tuning {
            variant: Some(variant),
            ..none
        })
    };
    let unfused = gpu.tuned(&Tuning {
        fuse: Some(false),
        ..none
    });
    let texels = gpu.tuned(&Tuning {
        texels: Some(true),
        ..none
    });
    let warp = |tiles| {
        let caps = Caps {
            software: true,
            max_buffers: 32,
            ..Caps::portable()
        };
        Target::new(caps).tuned(&Tuning {
            tiles: Some(tiles),
            ..none
        })
    };
    let tutorial = Model::default();
    let colour = Filters {
        image: [32, 32, 3],
        latent_dim: 64,
        loss: Loss::AnalyticKl,
        ..Filters::default()
    }
    .model();
    // Channel counts that are not multiples of 4.
    let odd = Filters {
        encoder_filters: vec![5, 33],
        decoder_base: 5,
        decoder_filters: vec![33, 5],
        ..Filters::default()
    }
    .model();
    vec![
        ("start", start(&tutorial, &gpu)),
        ("8 buffers", step(&tutorial, &buffers(8))),
        ("32 buffers", step(&tutorial, &buffers(32))),
        ("no fusion", step(&tutorial, &unfused)),
        ("questions", questions(&tutorial, &gpu)),
        ("colour", start(&colour, &gpu)),
        ("colour, no fusion", step(&colour, &unfused)),
        ("odd widths", step(&odd, &gpu)),
        ("small tiles", step(&tutorial, &tiles(Tiles::Small))),
        ("medium tiles", step(&tutorial, &tiles(Tiles::Medium))),
        ("large tiles", step(&tutorial, &tiles(Tiles::Large))),
        ("textures", step(&tutorial, &texels)),
        ("plain", step(&tutorial, &pinned(Variant::Plain))),
        ("tile", step(&tutorial, &pinned(Variant::Tile))),
        ("workgroup", step(&tutorial, &pinned(Variant::Workgroup))),
        ("WARP", start(&tutorial, &warp(Tiles::Medium))),
        ("WARP, large tiles", step(&tutorial, &warp(Tiles::Large))),
    ]
}

/// Every HLSL text by its digest, and a table of the sets that use it.
fn all() -> (BTreeMap<String, String>, String) {
    let (mut texts, mut table) = (BTreeMap::new(), String::new());
    for (set, plans) in sets() {
        for plan in plans {
            plan.check().expect("a sound plan");
            for bundle in plan.bundles().expect("bundles") {
                let steps: Vec<&Step> = bundle.iter().map(|&step| &plan.steps()[step]).collect();
                let dispatch = link::dispatch(&steps, &Default::default()).expect("a dispatch");
                let text = emit(&dispatch);
                let digest = Sha256::digest(&text);
                let digest: String = digest[..6].iter().map(|b| format!("{b:02x}")).collect();
                let kernels = steps.iter().map(|step| &step.kernel);
                let kernels: Vec<_> = kernels
                    .map(|k| format!("{}::{}", k.source.name, k.entry))
                    .collect();
                writeln!(table, "{digest}\t{set}\t{}", kernels.join(" + ")).expect("a string");
                texts.insert(digest, text);
            }
        }
    }
    (texts, table)
}

/// With `CVAE_GPU_HLSL=DIR` it writes the texts to that folder.
#[test]
fn every_dispatch_can_be_written_as_hlsl() {
    let (texts, table) = all();
    assert!(texts.len() > 100, "only {} texts", texts.len());
    let Some(folder) = std::env::var_os("CVAE_GPU_HLSL") else {
        return;
    };
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder).expect("the folder for HLSL");
    for (digest, text) in texts {
        std::fs::write(folder.join(format!("{digest}.hlsl")), text).expect("a file of HLSL");
    }
    std::fs::write(folder.join("table"), table).expect("the table");
}
