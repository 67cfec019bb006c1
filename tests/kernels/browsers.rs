//! Each dispatch as browsers get it. tests/web/modules.test.mjs compiles them in Chrome.

use std::collections::BTreeSet;

use super::hlsl::{questions, start, step};
use cvae_gpu::model::{Filters, Model};
use cvae_gpu::ops::conv::Variant;
use cvae_gpu::ops::{Target, Tiles, Tuning};
use cvae_gpu::plan::link::{self, Dispatch, Shader};
use cvae_gpu::plan::{Caps, Plan, Step};
use serde_json::{Value, json};

/// Storage buffers of a shader that Chrome offers on most adapters.
const BUFFERS: usize = 10;

/// GPUs and software adapters as Chrome shows them, with every choice that a user has. The first plan is
/// the tutorial's train step on a GPU.
fn plans() -> Vec<Plan> {
    let caps = |max_buffers, software| Caps {
        max_buffers,
        subgroup_min: 0,
        subgroup_max: 0,
        software,
        ..Caps::gpu()
    };
    let gpu = Target::new(caps(BUFFERS, false));
    let software = Target::new(caps(BUFFERS, true));
    let none = Tuning::default();
    let tuned = |tuning| gpu.tuned(&tuning);
    let variant = |variant| Tuning {
        variant: Some(variant),
        ..none
    };
    let tiles = |tiles| Tuning {
        tiles: Some(tiles),
        groups: Some(16),
        ..none
    };
    let tunings = [
        variant(Variant::Plain),
        variant(Variant::Tile),
        variant(Variant::Workgroup),
        tiles(Tiles::Small),
        tiles(Tiles::Medium),
        tiles(Tiles::Large),
        Tuning {
            fuse: Some(false),
            ..none
        },
        Tuning {
            texels: Some(true),
            ..none
        },
    ];
    let tutorial = Model::default();
    let colour = Filters {
        image: [32, 32, 3],
        ..Filters::default()
    }
    .model();
    let mut plans = step(&tutorial, &gpu);
    plans.extend(start(&tutorial, &gpu));
    plans.extend(questions(&tutorial, &gpu));
    plans.extend(start(&tutorial, &software));
    plans.extend(start(&colour, &gpu));
    plans.extend(step(&tutorial, &Target::new(caps(8, false))));
    for tuning in tunings {
        plans.extend(step(&tutorial, &tuned(tuning)));
    }
    plans
}

/// What WebGPU needs to compile a dispatch.
fn describe(dispatch: &Dispatch) -> Value {
    let (text, entry, constants) = match &dispatch.shader {
        Shader::Kernel(kernel) => (
            kernel.source.module_for_browsers(),
            kernel.entry,
            kernel
                .constants
                .iter()
                .map(|(name, value)| ((*name).to_owned(), json!(value)))
                .collect(),
        ),
        Shader::Linked(text) => (text.clone(), "main", serde_json::Map::new()),
    };
    let bindings = dispatch.bindings.iter().map(|(binding, _)| {
        json!({
            "number": binding.number,
            "writable": binding.writable,
            "texels": binding.texels,
        })
    });
    json!({
        "label": dispatch.label,
        "text": text,
        "entry": entry,
        "constants": constants,
        "bindings": bindings.collect::<Vec<_>>(),
    })
}

/// With `CVAE_GPU_MODULES=FILE` it writes them to that file.
#[test]
fn every_dispatch_binds_what_browsers_offer() {
    let (mut seen, mut modules) = (BTreeSet::new(), Vec::new());
    for (number, plan) in plans().into_iter().enumerate() {
        for bundle in plan.bundles().expect("bundles") {
            let steps: Vec<&Step> = bundle.iter().map(|&step| &plan.steps()[step]).collect();
            let dispatch = link::dispatch(&steps, &Default::default()).expect("a dispatch");
            let buffers = dispatch.bindings.iter().filter(|(b, _)| !b.texels).count();
            let most = plan.caps.max_buffers;
            assert!(buffers <= most, "{}: {buffers} buffers", dispatch.label);
            let mut module = describe(&dispatch);
            let label = module["label"].take();
            if seen.insert(module.to_string()) {
                module["label"] = label;
                module["pipeline"] = json!(number == 0);
                modules.push(module);
            }
        }
    }
    assert!(modules.len() > 100, "only {} modules", modules.len());
    if let Some(file) = std::env::var_os("CVAE_GPU_MODULES") {
        let text = serde_json::to_string(&modules).expect("JSON");
        std::fs::write(file, text).expect("the file of the modules");
    }
}
