//! Every shader module, checked without a GPU: it is valid, keeps WebGPU's limits, and is used.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::common::entry_points;
use cvae_gpu::data::Depth;
use cvae_gpu::explore::plans as explore;
use cvae_gpu::model::{self, Feed, Filters, Likelihood, Model, Posterior, Recipe, Sigma};
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::conv::Variant;
use cvae_gpu::ops::fetch::Packed;
use cvae_gpu::ops::rng::Order;
use cvae_gpu::ops::{Graph, Target, Tiles, Tuning, lanes, peak, sources};
use cvae_gpu::plan::link::{self, Shader};
use cvae_gpu::plan::{Caps, Plan, Source, Step};
use naga::valid::{
    Capabilities, FunctionInfo, ModuleInfo, ShaderStages, SubgroupOperationSet, ValidationFlags,
    Validator,
};
use naga::{
    AddressSpace, BinaryOperator, Expression, Function, Module, ScalarKind, Statement, TypeInner,
};

pub fn parse(name: &str, text: &str, capabilities: Capabilities) -> (Module, ModuleInfo) {
    let module = naga::front::wgsl::parse_str(text)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    let info = Validator::new(ValidationFlags::all(), capabilities)
        .subgroup_stages(ShaderStages::COMPUTE)
        .subgroup_operations(SubgroupOperationSet::all())
        .validate(&module)
        .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(text)));
    (module, info)
}

fn parse_source(source: &Source) -> (Module, ModuleInfo) {
    let capabilities = if source.subgroups {
        Capabilities::SUBGROUP
    } else {
        Capabilities::empty()
    };
    parse(source.name, &source.module(), capabilities)
}

#[test]
fn modules_are_valid_and_names_are_unique() {
    let mut names = BTreeSet::new();
    for source in sources() {
        let (module, _) = parse_source(source);
        assert!(!module.entry_points.is_empty(), "{}", source.name);
        assert!(
            names.insert(source.name),
            "two modules are named {}",
            source.name
        );
    }
}

#[test]
fn entry_points_keep_to_webgpus_default_limits() {
    for source in sources() {
        let (module, info) = parse_source(source);
        for (index, point) in module.entry_points.iter().enumerate() {
            let name = format!("{}::{}", source.name, point.name);
            let entry = source.reflect(&point.name).expect(&name);
            let [x, y, z] = entry.workgroup;
            assert!(x <= 256 && y <= 256 && z <= 64, "{name}: {x}×{y}×{z}");
            assert!(x * y * z <= 256, "{name}: {} invocations", x * y * z);
            let textures = entry.bindings.iter().filter(|b| b.texels).count();
            let buffers = entry.bindings.len() - textures;
            // The fused latent kernels bind more; fusion checks the adapter's limit.
            let most = if source.name == "latent" { 16 } else { 8 };
            assert!(buffers <= most, "{name}: {buffers} storage buffers");
            assert!(textures <= 4, "{name}: {textures} storage textures");
            let numbers: BTreeSet<u32> = entry.bindings.iter().map(|b| b.number).collect();
            assert_eq!(
                numbers.len(),
                entry.bindings.len(),
                "{name}: a binding twice"
            );
            assert!(numbers.iter().all(|n| *n < 1000), "{name}: {numbers:?}");
            let usage = info.get_entry_point(index);
            let workgroup = module
                .global_variables
                .iter()
                .filter(|(v, g)| g.space == AddressSpace::WorkGroup && !usage[*v].is_empty());
            let bytes: u32 = workgroup
                .map(|(_, g)| module.types[g.ty].inner.size(module.to_ctx()))
                .sum();
            assert!(bytes <= 16 << 10, "{name}: {bytes} bytes per workgroup");
        }
    }
}

/// Functions that compare floats for equality.
fn float_equalities(module: &Module, info: &ModuleInfo) -> Vec<String> {
    let in_function = |function: &Function, info: &FunctionInfo| {
        function.expressions.iter().any(|(_, e)| match e {
            Expression::Binary {
                op: BinaryOperator::Equal | BinaryOperator::NotEqual,
                left,
                ..
            } => {
                let operand = info[*left].ty.inner_with(&module.types);
                operand.scalar_kind() == Some(ScalarKind::Float)
            }
            _ => false,
        })
    };
    let functions = module
        .functions
        .iter()
        .filter(|(handle, f)| in_function(f, &info[*handle]))
        .map(|(_, f)| f.name.clone().unwrap_or_default());
    let points = module
        .entry_points
        .iter()
        .enumerate()
        .filter(|(i, p)| in_function(&p.function, info.get_entry_point(*i)))
        .map(|(_, p)| p.name.clone());
    functions.chain(points).collect()
}

#[test]
fn no_kernel_compares_floats_for_equality() {
    for source in sources() {
        let (module, info) = parse_source(source);
        let found = float_equalities(&module, &info);
        assert!(found.is_empty(), "{}: {}", source.name, found.join(", "));
    }
}

#[test]
fn float_equalities_are_found_in_scalars_vectors_functions_and_entry_points() {
    for (text, expected) in [
        (
            "fn f(a: f32) -> bool { return a == 1.0; }",
            &["f"] as &[&str],
        ),
        ("fn f(a: vec4<f32>) -> bool { return all(a != a); }", &["f"]),
        (
            "fn f(a: vec4<u32>, b: f32) -> bool { return all(a == a) && b < 1.0; }",
            &[],
        ),
        (
            "@group(0) @binding(0) var<storage> x: array<f32>;
             @compute @workgroup_size(1)
             fn main() { if x[0] == x[1] { return; } }",
            &["main"],
        ),
    ] {
        let (module, info) = parse("example", text, Capabilities::empty());
        assert_eq!(float_equalities(&module, &info), expected, "{text}");
    }
}

/// Whether a block has a loop with a continuing block, as of a `for` loop.
fn has_for_loop(block: &naga::Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Loop {
            body, continuing, ..
        } => !continuing.is_empty() || has_for_loop(body),
        Statement::If { accept, reject, .. } => has_for_loop(accept) || has_for_loop(reject),
        Statement::Switch { cases, .. } => cases.iter().any(|case| has_for_loop(&case.body)),
        Statement::Block(block) => has_for_loop(block),
        _ => false,
    })
}

// In HLSL naga moves the continuing block of a `for` loop to the start of the body. FXC, the compiler
// of DirectX 12, then assumes that the counter can pass its bound: X4027, array index out of bounds.
#[test]
fn modules_with_arrays_in_registers_have_no_for_loops() {
    let mut found = 0;
    for source in sources().into_iter().filter(|source| !source.subgroups) {
        let (module, _) = parse_source(source);
        let points = module.entry_points.iter().map(|point| &point.function);
        let named = module.functions.iter().map(|(_, function)| function);
        let functions: Vec<&Function> = named.chain(points).collect();
        let is_array = |ty| matches!(module.types[ty].inner, TypeInner::Array { .. });
        let mut variables = functions.iter().flat_map(|f| f.local_variables.iter());
        if variables.any(|(_, variable)| is_array(variable.ty)) {
            found += 1;
            for function in functions {
                let name = function.name.as_deref().unwrap_or("an entry point");
                assert!(!has_for_loop(&function.body), "{}: {name}", source.name);
            }
        }
    }
    assert!(found > 0, "no module has arrays in registers");
}

fn models() -> Vec<Model> {
    vec![
        Model::default(),
        Model {
            latent_dim: 3,
            ..Model::default()
        },
        Model {
            latent_dim: 10,
            loss: model::Loss::AnalyticKl,
            ..Model::default()
        },
        Filters {
            image: [32, 32, 3],
            ..Filters::default()
        }
        .model(),
        Model {
            posterior: Posterior::Full,
            likelihood: Likelihood::Gaussian,
            range: Some([-1.0, 2.0]),
            labels: 3,
            shift: 0.5,
            ..Model::default()
        },
        Model {
            likelihood: Likelihood::Gaussian,
            sigma: Sigma::Fixed(0.1),
            ..Model::default()
        },
        // Channel counts that are not multiples of 4.
        Filters {
            encoder_filters: vec![5, 33],
            decoder_base: 5,
            decoder_filters: vec![33, 5],
            ..Filters::default()
        }
        .model(),
    ]
}

/// One target of each kind.
fn targets() -> Vec<Target> {
    let (gpu, none) = (Target::gpu(), Tuning::default());
    // With so few groups tiles never shrink.
    let tiles = |tiles, texels| {
        gpu.tuned(&Tuning {
            tiles: Some(tiles),
            texels: Some(texels),
            groups: Some(4),
            ..none
        })
    };
    let software = |subgroups, texels| {
        let caps = Caps {
            subgroup_min: subgroups,
            subgroup_max: subgroups,
            software: true,
            ..Caps::portable()
        };
        Target::new(caps).tuned(&Tuning {
            texels: Some(texels),
            ..none
        })
    };
    let portable = |tuning: Tuning| Target::portable().tuned(&tuning);
    vec![
        portable(none),
        software(8, true),  // lavapipe with its default vector width
        software(0, true),  // an older one
        software(8, false), // the same with textures switched off
        software(0, false), // SwiftShader, where textures are no faster
        portable(Tuning {
            variant: Some(Variant::Plain),
            ..none
        }),
        gpu.clone(),
        tiles(Tiles::Small, false),
        tiles(Tiles::Medium, true),
        tiles(Tiles::Large, false),
        portable(Tuning {
            fuse: Some(false),
            ..none
        }),
        // `--fuse` on lavapipe
        software(8, false).tuned(&Tuning {
            fuse: Some(true),
            ..none
        }),
    ]
}

fn plans() -> Vec<Plan> {
    let mut plans = Vec::new();
    for target in targets() {
        for model in models() {
            for (depth, drawn, flipped, order) in [
                (Depth::Bit, false, false, Order::Shuffled),
                (Depth::Byte, false, false, Order::File),
                (Depth::Byte, true, true, Order::Shuffled),
                (Depth::Float, false, true, Order::Shuffled),
            ] {
                let data = Packed {
                    shape: model.image,
                    count: 100,
                    depth,
                    drawn,
                    flipped,
                    window: if order == Order::File { 100 } else { 24 },
                };
                for feed in [Feed::Images("images", data, order), Feed::Injected] {
                    let adam = Adam::default();
                    plans.push(model::train_step(&model, feed, adam, 8, &target));
                    let recipe = Recipe {
                        clip_norm: Some(1.0),
                        kl_warmup: 10.0,
                        ..Recipe::default()
                    };
                    plans.push(model::train_step(&model, feed, recipe, 8, &target));
                    plans.push(model::evaluate(&model, feed, 7, &target));
                    plans.push(model::reconstruct(&model, feed, 7, &target));
                }
            }
            plans.push(model::decode(&model, 20, &target).0);
            plans.push(explore::sample(&model, 100, 7, &target).0);
            let data = Packed {
                shape: model.image,
                count: 100,
                depth: Depth::Byte,
                drawn: false,
                flipped: false,
                window: 14,
            };
            plans.push(explore::encode(&model, data, 7, &target).0);
            let bound = explore::bound(&model, data, 3, 7, &target);
            plans.extend([bound.encode, bound.draw, bound.record]);
        }
        plans.push(model::sum_terms(1000, &target));
        let mut peaks = Graph::new(1);
        peak::multiply_add(&mut peaks, 64, 1);
        peak::copy(&mut peaks, 4);
        lanes::locate(&mut peaks, 1);
        plans.push(peaks.lower(&target));
    }
    plans
}

#[test]
fn every_entry_point_is_used_by_some_plan() {
    let mut used = BTreeSet::new();
    for plan in plans() {
        plan.check().expect("a sound plan");
        let kernels = plan.steps().iter().map(|s| &s.kernel);
        used.extend(kernels.map(|k| (k.source.name, k.entry)));
    }
    let entries = entry_points();
    let unused: Vec<_> = entries.iter().filter(|e| !used.contains(*e)).collect();
    assert!(unused.is_empty(), "no plan uses {unused:?}");
    assert_eq!(used.len(), entries.len());
}

/// The linked modules of all bundles, with the capabilities that limit their bindings.
fn linked() -> Vec<(String, String, Caps)> {
    let mut linked = BTreeMap::new();
    for plan in plans() {
        for bundle in plan.bundles().expect("bundles") {
            let steps: Vec<&Step> = bundle.iter().map(|&step| &plan.steps()[step]).collect();
            let dispatch = link::dispatch(&steps, &Default::default()).expect("a dispatch");
            if let Shader::Linked(text) = dispatch.shader {
                linked.insert(text, (dispatch.label, plan.caps.clone()));
            }
        }
    }
    let entry = |(text, (label, caps))| (label, text, caps);
    linked.into_iter().map(entry).collect()
}

#[test]
fn linked_modules_are_valid_and_keep_to_what_the_adapter_offers() {
    let linked = linked();
    assert!(linked.len() > 20, "only {} modules", linked.len());
    for (label, text, caps) in &linked {
        let (module, info) = parse(label, text, Capabilities::empty());
        let usage = info.get_entry_point(0);
        let used = |space: fn(&AddressSpace) -> bool| {
            let variables = module.global_variables.iter();
            variables.filter(move |(v, g)| space(&g.space) && !usage[*v].is_empty())
        };
        let buffers = used(|space| matches!(space, AddressSpace::Storage { .. })).count();
        assert!(buffers <= caps.max_buffers, "{label}: {buffers} buffers");
        let workgroup = used(|space| *space == AddressSpace::WorkGroup);
        let bytes = workgroup.map(|(_, g)| module.types[g.ty].inner.size(module.to_ctx()));
        let bytes: u32 = bytes.sum();
        assert!(bytes <= 16 << 10, "{label}: {bytes} bytes per workgroup");
    }
}

fn in_crate(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn every_shader_file_is_a_module_and_has_an_op_of_its_name() {
    let parts: BTreeSet<_> = sources().into_iter().flat_map(|s| s.files()).collect();
    // Shared files are in common.wgsl and common/; every other file belongs to an operation.
    for stem in stems("shaders/common") {
        let part = format!("common/{stem}");
        assert!(
            parts.contains(&*part),
            "shaders/{part}.wgsl is in no module"
        );
    }
    let stems: Vec<_> = stems("shaders").filter(|s| s != "common").collect();
    for stem in &stems {
        let op = match stem.strip_prefix("conv") {
            None => format!("src/ops/{stem}.rs"),
            Some("") => "src/ops/conv/plain.rs".to_owned(),
            Some(variant) => format!("src/ops/conv/{}.rs", &variant[1..]),
        };
        assert!(
            in_crate(&op).is_file(),
            "shaders/{stem}.wgsl has no counterpart {op}"
        );
        assert!(
            sources().iter().any(|s| s.file() == stem),
            "shaders/{stem}.wgsl is in no module"
        );
    }
    let files: BTreeSet<_> = sources().iter().map(|s| s.file()).collect();
    assert_eq!(stems.len(), files.len());
}

/// Stems of the WGSL files in a folder that holds nothing else.
fn stems(folder: &str) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(in_crate(folder)).expect(folder);
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.is_file()).map(|path| {
        let name = path.file_name().expect("a name").to_string_lossy();
        name.strip_suffix(".wgsl").expect("a shader").to_owned()
    })
}

/// Runs `tint`, Chrome's shader compiler, on a module; `None` if tint is not installed.
fn tint(folder: &Path, name: &str, text: &str) -> Option<Result<(), String>> {
    let path = folder.join(format!("{name}.wgsl"));
    std::fs::write(&path, text).expect("a temporary file");
    let mut command = Command::new("tint");
    // The output is ignored. WGSL is the one format that every build of tint writes.
    command
        .args(["--format", "wgsl", "-o"])
        .arg(folder.join("out.wgsl"));
    match command.arg(&path).output() {
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        Err(e) => panic!("tint does not run: {e}"),
        Ok(output) if output.status.success() => Some(Ok(())),
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Some(Err(String::from_utf8_lossy(&text).into_owned()))
        }
    }
}

#[test]
fn browsers_accept_every_module() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(verdict) = tint(folder.path(), "wrong", "fn f() -> u32 { return 1.5; }") else {
        return crate::common::say(
            "SKIPPED browsers_accept_every_module: `tint` is not on the PATH",
        );
    };
    assert!(verdict.is_err(), "tint accepts what is no WGSL");
    let own = sources()
        .into_iter()
        .map(|s| (s.name.to_owned(), s.module_for_browsers()));
    // A few linked modules suffice: their parts are the modules above.
    let linked = linked().into_iter().map(|(label, text, _)| (label, text));
    for (name, text) in own.chain(linked.step_by(8)) {
        if let Some(Err(reason)) = tint(folder.path(), "module", &text) {
            panic!("tint rejects {name}:\n{reason}");
        }
    }
}
