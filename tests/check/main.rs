//! `check` as a library: cases made by the CPU twins in the format of the recorded ones, and planted
//! mistakes, which must be detected and named.

#[path = "../common/mod.rs"]
mod common;

use std::path::Path;

use common::case::case_file;
use common::gpu;
use common::mutants::Mistake;
use common::report::Report;
use cvae_gpu::check::builtin::{self, Recipe};
use cvae_gpu::check::{self, Case, Grade, judge, run};
use cvae_gpu::gpu::{Feature, Gpu, Selection};
use cvae_gpu::model::{Filters, Loss, Model};

/// A model that uses only plain kernels, which every driver compiles quickly.
fn odd() -> Model {
    Filters {
        image: [12, 8, 1],
        latent_dim: 3,
        encoder_filters: vec![5, 11],
        decoder_base: 3,
        decoder_filters: vec![7, 5],
        ..Filters::default()
    }
    .model()
}

fn on_adapter(gpu: &Gpu, case: &Case) -> check::Outcome {
    let plan = run::plan(case, gpu.target());
    pollster::block_on(run::on_adapter(gpu, &plan, case)).expect("a run")
}

/// The case after a round trip through a file.
fn through_file(case: &Case) -> Case {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(&case.name);
    case_file(case).write(&path).expect("a file");
    let read = Case::read(&path).expect("a case");
    assert_eq!(read.model, case.model);
    assert_eq!(read.expect, case.expect);
    read
}

#[test]
fn cases_of_any_shape_hold_on_the_adapter() {
    let one = Recipe {
        steps: 3,
        ..Recipe::new("one image", odd(), 1)
    };
    let wide = Filters {
        image: [16, 12, 3],
        latent_dim: 16,
        encoder_filters: vec![16, 48],
        decoder_filters: vec![48, 16],
        loss: Loss::AnalyticKl,
        beta: 0.1,
        ..Filters::default()
    }
    .model();
    let wide = Recipe {
        real: true,
        ..Recipe::new("33 images", wide, 33)
    };
    let large = Recipe {
        scaled: &[("encoder.conv1", 8.0), ("decoder.deconv3", 8.0)],
        ..Recipe::new("large weights", odd(), 7)
    };
    let plain = Recipe {
        biases: 0.0,
        steps: 10,
        ..Recipe::new("zero biases", odd(), 7)
    };
    let mut report = Report::default();
    for recipe in [one, wide, large, plain] {
        let case = through_file(&recipe.cook());
        let grade = Grade::of(&case, true);
        for row in judge(&case, &on_adapter(gpu(), &case), grade) {
            report.add(&format!("{}, {}", case.name, grade.name()), row);
        }
    }
    report.finish(4 * 84);
}

// Needs no GPU.
#[test]
fn built_in_cases_are_what_they_are_for() {
    let names = [
        "colour",
        "analytic-kl",
        "beta",
        "zero-biases",
        "large-logits",
    ];
    let [colour, analytic, beta, zero, large] = names.map(|name| {
        let name = format!("{name}.safetensors");
        let recipes = builtin::recipes();
        let found = recipes.into_iter().find(|r| r.name == name);
        found.expect("a recipe").cook()
    });
    assert_eq!(colour.model.image, [32, 32, 3]);
    assert!(colour.x.iter().any(|v| *v > 0.1 && *v < 0.9));
    assert_eq!(analytic.model.loss, Loss::AnalyticKl);
    // Without the weight the loss would differ.
    let mean = |name: &str| {
        let terms = &beta.expect[name];
        terms.iter().map(|v| f64::from(*v)).sum::<f64>() / terms.len() as f64
    };
    let divergence = mean("logqz_x") - mean("logpz");
    let loss = f64::from(beta.expect["loss"][0]);
    let weighted = beta.model.beta * divergence - mean("logpx_z");
    assert!((loss - weighted).abs() < 1e-6 * loss, "{loss} {weighted}");
    assert!((loss + mean("logpx_z") - divergence).abs() > 0.1, "{loss}");
    let closed = |case: &Case| {
        let first = &case.expect["act/encoder.conv1"];
        first.iter().filter(|v| **v == 0.0).count() * 10 > first.len()
    };
    assert!(closed(&zero));
    let biases = zero
        .params
        .iter()
        .filter(|(name, _)| name.ends_with("bias"));
    assert!(biases.flat_map(|(_, v)| v).all(|v| *v == 0.0));
    let logits = &large.expect["logits"];
    let largest = logits.iter().copied().fold(0.0, f32::max);
    let smallest = logits.iter().copied().fold(0.0, f32::min);
    assert!(largest > 60.0 && smallest < -60.0, "{smallest}..{largest}");
    for case in [&colour, &analytic, &beta, &zero, &large] {
        let finite = |v: &f32| v.is_finite();
        assert!(case.expect.values().flatten().all(finite), "{}", case.name);
        assert!(
            case.expect["grad/encoder.conv1.kernel"]
                .iter()
                .any(|g| *g != 0.0)
        );
    }
    assert_eq!(Grade::of(&colour, true), Grade::Must);
    assert_eq!(Grade::of(&large, true), Grade::Must);
}

// The grade depends on the contents of a case, not on its name.
#[test]
fn the_strict_rule_follows_from_the_case() {
    let mut case = Recipe::new("ordinary", odd(), 2).cook();
    case.relu_margin = None;
    assert_eq!(Grade::of(&case, true), Grade::Good);
    assert_eq!(Grade::of(&case, false), Grade::Must);
    case.relu_margin = Some(4.9e-7);
    assert_eq!(Grade::of(&case, true), Grade::Must);
    case.relu_margin = Some(5.1e-7);
    assert_eq!(Grade::of(&case, true), Grade::Good);
    let (_, kernel) = &mut case.params[0];
    kernel.iter_mut().for_each(|w| *w *= 8.0);
    assert_eq!(Grade::of(&case, true), Grade::Must);
}

/// A device without fusion, so that its steps are those of the model.
fn checked() -> Gpu {
    let mut selection = Selection {
        checked: true,
        ..common::selection()
    };
    selection.disable.push(Feature::Fusion);
    pollster::block_on(Gpu::open(&selection)).expect("a device")
}

// Common mistakes, each in a kernel that every adapter runs.
#[test]
fn a_planted_mistake_is_seen_and_the_trace_names_its_step_and_tensor() {
    let right = checked();
    let case = Recipe::new("planted", odd(), 3).cook();
    let judged = |gpu: &Gpu| {
        let outcome = on_adapter(gpu, &case);
        let rows = judge(&case, &outcome, Grade::Must).into_iter();
        let off = rows.filter(|row| !row.ok()).map(|row| row.tensor);
        off.collect::<Vec<_>>()
    };
    let trace = |gpu: &Gpu| pollster::block_on(check::trace(gpu, &case)).expect("a trace");
    assert_eq!(judged(&right), [""; 0]);
    let clean = trace(&right);
    assert!(clean.first.is_none() && clean.compared > 80, "{clean:?}");
    for (file, from, to, step, tensor, seen) in [
        (
            "bce",
            "sigmoid(logits[at]) - x[at]",
            "sigmoid(logits[at]) - 0.9 * x[at]",
            "bce loss and gradient",
            "dlogits",
            "grad/decoder.deconv3.kernel",
        ),
        (
            "common/reparam",
            "total * spread - 0.5 * scale",
            "total * spread",
            "reparam backward",
            "dq",
            "grad/encoder.dense.bias",
        ),
        (
            "adam",
            "(sqrt(v_next) + EPSILON)",
            "(sqrt(v_next) + 0.1 * EPSILON)",
            "adam update",
            "params",
            "param_after_1/decoder.deconv1.kernel",
        ),
        (
            "conv",
            "backpropagated(correlation(at / SMALL_C, channel), gate[at], GATE)",
            "correlation(at / SMALL_C, channel)",
            "decoder.deconv3 input gradient",
            "decoder.deconv3.dx",
            "grad/encoder.conv1.kernel",
        ),
    ] {
        let planted = Mistake::new(file, from, to).plant(&right);
        let planted = planted.unwrap_or_else(|e| panic!("{file}: {e}"));
        let off = judged(&planted);
        assert!(off.iter().any(|name| name == seen), "{file}: {off:?}");
        let trace = trace(&planted);
        let row = trace.first.expect("a divergence");
        let by = row.by.as_ref().expect("a step");
        assert_eq!(
            (trace.train_step, by.step.as_str(), row.tensor.as_str()),
            (Some(1), step, tensor)
        );
        let stem = file.rsplit('/').next().unwrap_or(file);
        assert!(by.kernel.starts_with(stem), "{by:?}");
    }
    // The original device is not affected.
    assert_eq!(judged(&right), [""; 0]);
}

#[test]
fn a_case_lives_without_some_expectations_and_notes_those_it_cannot_compare() {
    let case = Recipe::new("few.safetensors", odd(), 2).cook();
    let mut file = case_file(&case);
    let keep = |name: &str| !name.starts_with("expect/") || name == "expect/logits";
    file.tensors.retain(|name, _| keep(name));
    let logits = file.tensors["expect/logits"].clone();
    file.tensors.insert("expect/probabilities".into(), logits);
    file.metadata
        .insert("note".into(), "more than needed".into());
    let few = Case::from_file(&case.name, "few", file).expect("a case");
    assert_eq!(few.unknown, ["probabilities"]);
    let rows = judge(&few, &run::on_twins(&few), Grade::Good);
    let names: Vec<_> = rows
        .iter()
        .map(|row| (row.tensor.as_str(), row.ok()))
        .collect();
    assert_eq!(names, [("logits", true)]);
}

// Names and shapes match the recorded files.
#[test]
fn outcomes_have_the_names_and_shapes_of_recorded_cases() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/golden");
    let path = Path::new(folder).join("p1.safetensors");
    let recorded = cvae_gpu::files::tensors::TensorFile::read(&path).expect("a file");
    let case = Case::read(&path).expect("a case");
    let computed = run::on_twins(&case).to_file();
    let expected = recorded
        .tensors
        .iter()
        .filter(|(name, _)| name.starts_with("expect/"));
    let shapes: Vec<_> = expected
        .map(|(name, t)| (name.as_str(), &t.shape))
        .collect();
    let found = computed
        .tensors
        .iter()
        .map(|(name, t)| (name.as_str(), &t.shape));
    assert_eq!(found.collect::<Vec<_>>(), shapes);
}
