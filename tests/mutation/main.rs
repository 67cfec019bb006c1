//! Proof that the suite can fail. Mistakes are planted one at a time, in a shader or in a plan, and the
//! checks of tests/common/suite must detect them.
//!
//! The table of docs/testing.md must list exactly which check detects which mistake. Mistakes in
//! convolutions are in the plain kernels, which are the easiest to follow; for the other variants,
//! products in every shader are replaced by sums.

#[path = "../common/mod.rs"]
mod common;

use std::fmt::Write;
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread::{self, ScopedJoinHandle};

use common::mutants::{Mistake, files, products_turned};
use common::report::{FIRST_FAILS, Report};
use common::suite::convolutions::sizes;
use common::suite::{convolutions, fused, golden, kernels, state, step};
use common::{checked_gpu, naming_gpu, say};
use cvae_gpu::gpu::Gpu;
use cvae_gpu::model::{self, Feed, Loss, Model};
use cvae_gpu::ops::adam::Adam;
use cvae_gpu::ops::conv::Variant;
use cvae_gpu::ops::{Target, sources};
use cvae_gpu::plan::Plan;

/// Ends a check at its first wrong value, and prints panics without backtraces: each mistake causes dozens
/// of panics, and a backtrace takes longer than a check.
fn fail_fast() {
    FIRST_FAILS.store(true, Relaxed);
    panic::set_hook(Box::new(|info| eprintln!("{info}")));
}

/// Maps items on one thread and device per core.
fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        while let Some((i, item)) = items.iter().enumerate().nth(next.fetch_add(1, Relaxed)) {
            done.push((i, work(item)));
        }
        done
    };
    let mut done: Vec<_> = thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(worker)).collect();
        let of = |w: ScopedJoinHandle<'_, Vec<_>>| w.join().expect("a worker that ends");
        workers.into_iter().flat_map(of).collect()
    });
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Whether a check fails.
fn fails(check: impl FnOnce()) -> bool {
    let failed = catch_unwind(AssertUnwindSafe(check)).is_err();
    // A driver error would persist and fail every later check.
    checked_gpu().check().expect("a sound device");
    failed
}

/// A check of the kernel with the mistake.
type Check = fn(&Gpu);

enum Plant {
    /// In a shader: file, text, replacement, and the check of the kernel.
    Shader(&'static str, &'static str, &'static str, Check),
    /// At a tile edge of a variant: file, text, replacement, variant, and the number of a case that has
    /// such an edge.
    Edge(&'static str, &'static str, &'static str, Variant, usize),
    /// In the steps of a plan, not in their twins.
    Steps(fn(&mut Plan)),
    /// In the plan and in the twins, which therefore agree.
    Both(fn(&mut Plan)),
}

fn plain_convolutions(gpu: &Gpu) {
    convolutions::plain_kernels_agree_with_their_twins(gpu);
}

fn adam(gpu: &Gpu) {
    state::updates_of_adam_agree_with_their_twin_from_the_first_step_to_the_millionth(gpu);
}

fn bce(gpu: &Gpu) {
    kernels::cross_entropy_agrees_with_its_twin_for_logits_to_80_and_real_targets(gpu);
}

fn constants(plan: &mut Plan, of: impl Fn(&str) -> bool, name: &str, value: f64) {
    let steps = plan.steps_mut().iter_mut().filter(|s| of(&s.label));
    for (_, constant) in steps
        .flat_map(|s| &mut s.kernel.constants)
        .filter(|(n, _)| *n == name)
    {
        *constant = value;
    }
}

/// Rebuilds the train step of a recorded case in another way.
fn rebuild(plan: &mut Plan, model: &Model, adam: Adam) {
    *plan = model::train_step(
        model,
        Feed::Injected,
        adam,
        plan.batch,
        checked_gpu().target(),
    );
}

fn mistakes() -> Vec<(&'static str, Plant)> {
    use Plant::{Both, Shader, Steps};
    vec![
        (
            "Adam's epsilon after the bias correction",
            Shader(
                "adam",
                "rate * m_next / (sqrt(v_next) + EPSILON)",
                "RATE / correction(LOG_BETA1, t) * m_next
                    / (sqrt(v_next / correction(LOG_BETA2, t)) + EPSILON)",
                adam,
            ),
        ),
        (
            "an epsilon of 1e-8",
            Shader("adam", "+ EPSILON)", "+ 1e-8)", adam),
        ),
        (
            "an epsilon of 1e-8, in the twin too",
            Both(|plan| {
                let adam = Adam {
                    epsilon: 1e-8,
                    ..Adam::default()
                };
                rebuild(plan, &Model::default(), adam);
            }),
        ),
        (
            "a ReLU of derivative 1 at 0",
            Shader(
                "common/activation",
                "select(dy, vec4(0.0), negative)",
                "select(dy, vec4(0.0), y < vec4(0.0))",
                plain_convolutions,
            ),
        ),
        (
            "an ELU of derivative 1 below 0",
            Shader(
                "common/activation",
                "select(dy, dy * (y + 1.0), negative)",
                "dy",
                kernels::dense_activations_agree_with_their_twins,
            ),
        ),
        (
            "a triangle filled in another order",
            Shader(
                "full",
                "return 2u * ELEMENTS - LATENT - 1u - k;",
                "return k - (ELEMENTS - LATENT);",
                kernels::samples_of_any_covariance_and_their_gradients_agree_with_their_twins,
            ),
        ),
        (
            "a wrong series of the continuous Bernoulli",
            Shader(
                "bce",
                "l * (1.0 / 12.0",
                "l * (1.0 / 6.0",
                kernels::likelihoods_agree_with_their_twins,
            ),
        ),
        (
            "the deviation's gradient without its constant",
            Shader(
                "gaussian",
                "1.0 - r * r",
                "-r * r",
                kernels::a_learned_deviation_and_its_gradient_agree_with_their_twins,
            ),
        ),
        (
            "labels not fed to a layer",
            Shader(
                "input",
                "select(0.0, 1.0, id.x - VALUES == labels[id.y])",
                "0.0",
                kernels::labels_follow_the_features_and_are_dropped_from_their_gradient,
            ),
        ),
        (
            "transposed convolutions cropped at the start",
            Steps(|plan| {
                for pad in ["PAD_Y", "PAD_X"] {
                    let halving = |label: &str| {
                        ["deconv1", "deconv2"]
                            .iter()
                            .any(|layer| label.contains(layer))
                    };
                    constants(plan, halving, pad, 1.0);
                }
            }),
        ),
        (
            "images flattened channel by channel",
            Shader(
                "dense",
                "for (var i = lane; i < IN; i += LANES) {
        sum += x[row * IN + i]",
                "for (var i = lane; i < IN; i += LANES) {
        let pixels = max(IN / 64u, 1u);
        sum += x[row * IN + select(i, i % pixels * 64u + i / pixels, IN % 64u == 0u)]",
                kernels::dense_layers_agree_with_their_twins,
            ),
        ),
        (
            "the analytic divergence instead of Monte Carlo's",
            Shader(
                "common/reparam",
                "if ANALYTIC {",
                "if true {",
                kernels::sampling_and_its_gradient_agree_with_their_twins,
            ),
        ),
        (
            "the analytic divergence, in the twin too",
            Both(|plan| {
                let model = Model {
                    loss: Loss::AnalyticKl,
                    ..Model::default()
                };
                rebuild(plan, &model, Adam::default());
            }),
        ),
        (
            "Monte Carlo's divergence instead of the analytic one",
            Shader(
                "common/reparam",
                "if ANALYTIC {",
                "if false {",
                kernels::sampling_and_its_gradient_agree_with_their_twins,
            ),
        ),
        (
            "beta forgotten in the gradient of Monte Carlo's divergence",
            Shader(
                "common/reparam",
                "BETA / f32(BATCH)",
                "select(1.0, BETA, ANALYTIC) / f32(BATCH)",
                kernels::sampling_and_its_gradient_agree_with_their_twins,
            ),
        ),
        (
            "beta forgotten in the gradient of the analytic divergence",
            Shader(
                "common/reparam",
                "BETA / f32(BATCH)",
                "select(BETA, 1.0, ANALYTIC) / f32(BATCH)",
                kernels::sampling_and_its_gradient_agree_with_their_twins,
            ),
        ),
        (
            "beta forgotten in the loss",
            Shader(
                "elbo",
                "record_means(mean, BETA * select(",
                "record_means(mean, select(",
                kernels::batch_means_go_to_the_row_of_their_step_and_nowhere_else,
            ),
        ),
        (
            "values drawn by their place in the batch, not by their image",
            Shader(
                "fetch",
                "vec4(block, indices[row], state.epoch",
                "vec4(block, row, state.epoch",
                kernels::images_are_drawn_by_image_and_epoch_as_their_twins_are,
            ),
        ),
        (
            "images mirrored by their place in the batch",
            Shader(
                "fetch",
                "vec4(0u, indices[row], state.epoch",
                "vec4(0u, row, state.epoch",
                kernels::images_are_mirrored_by_image_and_epoch_as_their_twins_are,
            ),
        ),
        (
            "the place in the set taken for that in a window",
            Shader(
                "rng",
                " % WINDOW",
                "",
                kernels::images_are_fetched_from_a_window_in_the_order_of_the_pass,
            ),
        ),
        (
            "the logarithm of a sigmoid",
            Shader(
                "bce",
                "return max(l, 0.0) - l * target_value + log1p(exp(-abs(l)));",
                "return -target_value * log(sigmoid(l))
                    - (1.0 - target_value) * log(1.0 - sigmoid(l));",
                bce,
            ),
        ),
        (
            "a barrier left out",
            Shader("common/sum", "workgroupBarrier();", "", bce),
        ),
        (
            "a tile overwritten while others read it",
            Shader(
                "conv_workgroup",
                "workgroupBarrier();  // all have multiplied the previous round",
                "",
                convolutions::workgroup_kernels_agree_with_their_twins,
            ),
        ),
        (
            "the row above a band left out",
            Shader(
                "head",
                "let y = first + i / row_values - PAD_Y;",
                "let y = select(HEIGHT, first + i / row_values - PAD_Y, i >= row_values);",
                fused::the_last_layer_with_the_loss_agrees_with_its_steps,
            ),
        ),
        (
            "the last workgroups left out",
            Steps(|plan| {
                for step in plan.steps_mut().iter_mut().filter(|s| s.grid[0] > 1) {
                    step.grid[0] -= 1;
                }
            }),
        ),
        (
            "a stride of 1 instead of 2",
            Steps(|plan| constants(plan, |label| label.contains("conv"), "STRIDE", 1.0)),
        ),
        (
            "a stair of the learning rate one step early",
            Shader(
                "adam",
                "(step - 1u) / EVERY",
                "step / EVERY",
                state::scheduled_updates_agree_with_their_twin,
            ),
        ),
        (
            "the weight of the KL term one step ahead",
            Shader(
                "common/weights",
                "let risen = f32(state.step)",
                "let risen = f32(state.step + 1u)",
                kernels::weights_of_the_kl_term_agree_with_their_twins,
            ),
        ),
        (
            "gradients clipped by the square of their norm",
            Shader(
                "clip",
                "sqrt(sum)",
                "sum",
                kernels::gradients_are_clipped_to_the_norm_of_all,
            ),
        ),
        (
            "a first moment that is never stored",
            Shader("adam", "m[i] = m_next;", "", adam),
        ),
        (
            "bias correction one step ahead",
            Shader("adam", "f32(state.step)", "f32(state.step + 1u)", adam),
        ),
        (
            "a tail batch divided by the size of a full one",
            Steps(|plan| {
                if plan.batch == step::TAIL {
                    let full = step::BATCH as f64;
                    constants(plan, |label| label.contains("gradient"), "BATCH", full);
                }
            }),
        ),
        (
            "two words of the noise's counter swapped",
            Shader(
                "rng",
                "vec4(block, state.position + row, state.step, state.stream)",
                "vec4(block, state.step, state.position + row, state.stream)",
                state::normals_are_within_4_ulps_of_their_twins,
            ),
        ),
    ]
}

/// Mistakes at the edges of each variant: the end of a split of the weight gradient, the last row of a
/// tile, and the last quad of channels.
fn edges() -> Vec<(String, Plant)> {
    use Variant::{Broadcast, Plain, Thin, Tile, Workgroup};
    const RANGE: &str = "return min(vec2(split * size, (split + 1u) * size), vec2(positions));";
    const NO_END: &str = "return vec2(split * size, (split + 1u) * size);";
    const ROW: &str = "(p < vec4(BATCH * SMALL_H * SMALL_W)) & vec4(s4";
    const ROW_MORE: &str = "(p <= vec4(BATCH * SMALL_H * SMALL_W)) & vec4(s4";
    const QUAD: &str = "vec4(s4 < SMALL_QUADS);";
    const QUAD_MORE: &str = "vec4(s4 <= SMALL_QUADS);";
    let tiled = [Tile, Broadcast, Workgroup];
    let in_tiles = |what: &'static str, from, to, cases: [usize; 3]| {
        let edge = |(variant, case)| (what, Plant::Edge("common/conv", from, to, variant, case));
        tiled.into_iter().zip(cases).map(edge).collect()
    };
    let alone =
        |what, file, from, to, variant, case| (what, Plant::Edge(file, from, to, variant, case));
    const END: &str = "a last range past the last position";
    const LAST_ROW: &str = "a last row past the last pixel";
    const LAST_QUAD: &str = "a last quad past the last channel";
    let all = [
        in_tiles(END, RANGE, NO_END, [3, 3, 6]),
        in_tiles(LAST_ROW, ROW, ROW_MORE, [0, 0, 0]),
        in_tiles(LAST_QUAD, QUAD, QUAD_MORE, [1, 3, 0]),
        vec![
            alone(END, "common/conv", RANGE, NO_END, Thin, 0),
            alone(
                LAST_ROW,
                "conv_thin",
                "(four(x) < vec4(SMALL_W)) & vec4(s.n < BATCH)",
                "(four(x) <= vec4(SMALL_W)) & vec4(s.n < BATCH)",
                Thin,
                0,
            ),
            alone(
                LAST_QUAD,
                "conv_thin",
                "if s4 < SMALL_QUADS {\n            partials[(split",
                "if s4 <= SMALL_QUADS {\n            partials[(split",
                Thin,
                1,
            ),
            alone(
                "strips past the last image",
                "conv_thin",
                "y < BIG_H && s.n < BATCH;",
                "y < BIG_H;",
                Thin,
                0,
            ),
            alone(
                "the taps of a turned convolution unturned",
                "conv_thin",
                "select(tap, KERNEL * KERNEL - 1u - tap, REVERSED)",
                "tap",
                Thin,
                6,
            ),
            alone(
                END,
                "conv",
                "p < min((id.y + 1u) * size, positions)",
                "p < (id.y + 1u) * size",
                Plain,
                7,
            ),
            alone(
                LAST_ROW,
                "conv",
                "if at < BATCH * SMALL_H * SMALL_W * SMALL_C {\n        small_out[at] = activate",
                "if at <= BATCH * SMALL_H * SMALL_W * SMALL_C {\n        small_out[at] = activate",
                Plain,
                0,
            ),
            alone(
                LAST_QUAD,
                "conv",
                "if id.x >= weight_count",
                "if id.x > weight_count",
                Plain,
                0,
            ),
        ],
    ];
    let named = |(what, plant): (&str, Plant)| {
        let variant = match plant {
            Plant::Edge(_, _, _, variant, _) => variant.name(),
            _ => "all",
        };
        (format!("{what}, in {variant} kernels"), plant)
    };
    all.into_iter()
        .flat_map(|part: Vec<_>| part)
        .map(named)
        .collect()
}

/// Whether everything is tested: `make mutate`. Otherwise only mistakes in the text of a shader, by the
/// check of its kernel, and a part of the products: drivers compile each mutant anew.
fn everything() -> bool {
    std::env::var("CVAE_GPU_MUTATE").is_ok_and(|v| v == "all")
}

/// The columns of the table: the kernel alone, whole steps slot by slot, recorded cases. `None` is not
/// tested.
type Seen = [Option<bool>; 3];

fn step_fails(gpu: &Gpu, target: &Target, edit: fn(&mut Plan)) -> bool {
    fails(|| step::check(gpu, target, &step::small_model(), edit))
}

fn recorded_case_fails(gpu: &Gpu, target: &Target, edit: fn(&mut Plan)) -> bool {
    fails(|| golden::check("p1", |case| golden::on_adapter(gpu, target, edit, case)))
}

/// A target with plain kernels, for mistakes in their text or in files that many kernels include. They
/// compile fast and run slowly.
fn plain() -> Target {
    step::pinned(checked_gpu(), Variant::Plain, false)
}

fn planted(right: &Gpu, file: &str, from: &str, to: &str) -> Gpu {
    let planted = Mistake::new(file, from, to).plant(right);
    planted.expect("a mistake that can be made")
}

fn seen(plant: &Plant) -> Seen {
    let unchanged = |_: &mut Plan| ();
    let right = checked_gpu();
    match *plant {
        Plant::Edge(file, from, to, variant, case) => {
            let planted = planted(naming_gpu(), file, from, to);
            let check = || convolution(&planted, variant, false, case);
            [Some(fails(check)), None, None]
        }
        Plant::Shader(file, from, to, check) => {
            let target = match file {
                "conv" | "dense" | "common/activation" => plain(),
                _ => right.target().clone(),
            };
            let planted = planted(right, file, from, to);
            // No step of the tutorial's model on a CPU runs these kernels.
            let elsewhere = [
                "clip",
                "common/weights",
                "conv_workgroup",
                "full",
                "gaussian",
                "head",
                "input",
                "latent",
            ];
            if !everything() || elsewhere.contains(&file) {
                return [Some(fails(|| check(&planted))), None, None];
            }
            [
                Some(fails(|| check(&planted))),
                Some(step_fails(&planted, &target, unchanged)),
                Some(recorded_case_fails(&planted, &target, unchanged)),
            ]
        }
        Plant::Steps(edit) => [
            None,
            Some(step_fails(right, &plain(), edit)),
            everything().then(|| recorded_case_fails(right, &plain(), edit)),
        ],
        Plant::Both(edit) => [
            None,
            None,
            Some(recorded_case_fails(right, right.target(), edit)),
        ],
    }
}

fn in_crate(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn a_mistake_is_planted_in_every_module_of_its_file_and_nowhere_else() {
    let mistake = Mistake::new(
        "common/conv",
        "vec4(NONE), FIRST + p * SMALL_QUADS, p < vec4(end)",
        "vec4(NONE), FIRST + p * SMALL_QUADS, p <= vec4(end)",
    );
    let edits = mistake.edits().expect("a mistake that can be made");
    for source in sources() {
        let differs = source.module_with(&edits) != source.module();
        let has = source.files().contains(&"common/conv");
        assert_eq!(differs, has, "{}", source.name);
    }
}

#[test]
fn a_mistake_that_cannot_be_made_is_refused() {
    for (file, from, to, reason) in [
        ("nowhere", "a", "b", "no shaders/nowhere.wgsl"),
        ("adam", "not there", "b", "0 times"),
        ("adam", "grads", "b", "times in shaders/adam.wgsl"),
        ("adam", "g * g - v[i]", "g * ", "expected"),
    ] {
        let refused = Mistake::new(file, from, to).edits().unwrap_err();
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn every_known_mistake_is_seen_by_the_checks_that_the_documentation_names() {
    fail_fast();
    let right = checked_gpu();
    let mistakes = mistakes().into_iter();
    let named = mistakes.map(|(what, plant)| (what.to_owned(), plant));
    let mut mistakes: Vec<_> = named.chain(edges()).collect();
    if everything() {
        // Without a mistake every check must pass. The device with the mistake reuses the kernels
        // compiled here.
        for target in [plain(), right.target().clone()] {
            assert!(!step_fails(right, &target, |_| ()));
            assert!(!recorded_case_fails(right, &target, |_| ()));
        }
    } else {
        // tests/kernels runs these checks without mistakes.
        mistakes.retain(|(_, plant)| matches!(plant, Plant::Shader(..)));
        assert!(mistakes.len() > 25, "{} mistakes", mistakes.len());
    }
    // On hardware a workgroup of 64 may run in lockstep, so a missing barrier may have no effect.
    if !right.caps().software {
        say("a missing barrier is not tested: it shows on software adapters");
        mistakes.retain(|(what, _)| !what.contains("barrier"));
    }
    if right.caps().subgroup_min < 8 {
        say("mistakes in broadcast kernels are not tested: they need subgroups of 8 or more");
        mistakes.retain(|(what, _)| !what.contains("broadcast"));
    }
    let (mut table, mut unseen) = (String::new(), Vec::new());
    let seen = on_all_cores(&mistakes, |(_, plant)| seen(plant));
    for ((what, _), seen) in mistakes.iter().zip(seen) {
        if !seen.contains(&Some(true)) {
            unseen.push(what.as_str());
        }
        let [kernel, step, golden] = seen.map(|seen| match seen {
            Some(true) => "seen",
            Some(false) => "",
            None => "–",
        });
        writeln!(table, "| {what} | {kernel} | {step} | {golden} |").expect("a line");
    }
    assert!(unseen.is_empty(), "nothing sees {unseen:?}");
    if !everything() {
        return;
    }
    let documented = in_crate("docs/testing.md");
    let documented: Vec<&str> = documented.lines().collect();
    let missing = table.lines().any(|line| !documented.contains(&line));
    assert!(!missing, "docs/testing.md must hold\n{table}");
}

/// Runs every convolution check of the variants, the smallest first, until one fails.
fn convolutions_of(gpu: &Gpu, variants: &[(Variant, bool)]) {
    for &(variant, texels) in variants {
        let fits = variant != Variant::Broadcast || gpu.caps().subgroup_min >= 8;
        for i in (0..convolutions::shapes(variant).len()).filter(|_| fits) {
            convolution(gpu, variant, texels, i);
        }
    }
}

fn convolution(gpu: &Gpu, variant: Variant, texels: bool, case: usize) {
    let mut report = Report::default();
    let sizes = sizes(variant);
    let tiles = sizes[case % sizes.len()];
    convolutions::check_case(gpu, &mut report, variant, texels, tiles, case);
    report.finish(3);
}

/// Checks the kernels that use a shader file.
fn check_file(gpu: &Gpu, file: &str) {
    use Variant::{Broadcast, Plain, Thin, Tile, Workgroup};
    match file {
        "adam" => {
            adam(gpu);
            state::updates_of_adam_are_subtracted_from_the_weights(gpu);
            state::scheduled_updates_agree_with_their_twin(gpu);
            fused::updates_of_sums_agree_with_their_steps(gpu);
        }
        "bce" => {
            bce(gpu);
            kernels::cross_entropy_of_nearly_certain_pixels_is_exact_too(gpu);
            kernels::likelihoods_agree_with_their_twins(gpu);
        }
        "common" => {
            check_file(gpu, "bce");
            check_file(gpu, "rng");
        }
        "clip" => kernels::gradients_are_clipped_to_the_norm_of_all(gpu),
        "common/weights" => kernels::weights_of_the_kl_term_agree_with_their_twins(gpu),
        "common/buffers" => {
            let all = [Thin, Tile, Broadcast, Workgroup];
            convolutions_of(gpu, &all.map(|variant| (variant, false)));
        }
        "common/texels" => {
            convolutions_of(gpu, &[(Thin, true), (Tile, true), (Broadcast, true)]);
        }
        "common/philox" | "common/images" => {
            check_file(gpu, "fetch");
            check_file(gpu, "rng");
        }
        "common/reparam" => check_file(gpu, "reparam"),
        "common/conv" => {
            check_file(gpu, "common/buffers");
            check_file(gpu, "common/texels");
        }
        "conv" => convolutions_of(gpu, &[(Plain, false)]),
        "conv_broadcast" => convolutions_of(gpu, &[(Broadcast, false), (Broadcast, true)]),
        "conv_thin" => convolutions_of(gpu, &[(Thin, false), (Thin, true)]),
        "conv_tile" => convolutions_of(gpu, &[(Tile, false), (Tile, true)]),
        "conv_workgroup" => convolutions_of(gpu, &[(Workgroup, false)]),
        "dense" => kernels::dense_layers_agree_with_their_twins(gpu),
        "elbo" => {
            kernels::batch_means_go_to_the_row_of_their_step_and_nowhere_else(gpu);
            kernels::terms_are_recorded_in_the_rows_of_their_images_and_nowhere_else(gpu);
            kernels::weights_of_the_kl_term_agree_with_their_twins(gpu);
        }
        "fetch" => {
            kernels::images_are_fetched_as_they_were_packed(gpu);
            kernels::images_are_fetched_from_a_window_in_the_order_of_the_pass(gpu);
            kernels::images_are_drawn_by_image_and_epoch_as_their_twins_are(gpu);
            kernels::images_are_mirrored_by_image_and_epoch_as_their_twins_are(gpu);
        }
        "front" => fused::the_batch_with_the_first_layer_agrees_with_its_steps(gpu),
        "full" => {
            kernels::samples_of_any_covariance_and_their_gradients_agree_with_their_twins(gpu);
            kernels::weights_of_the_kl_term_agree_with_their_twins(gpu);
        }
        "gaussian" => {
            kernels::likelihoods_agree_with_their_twins(gpu);
            kernels::a_learned_deviation_and_its_gradient_agree_with_their_twins(gpu);
        }
        "input" => {
            kernels::labels_follow_the_features_and_are_dropped_from_their_gradient(gpu);
        }
        "head" => fused::the_last_layer_with_the_loss_agrees_with_its_steps(gpu),
        "importance" => {
            kernels::bounds_over_draws_agree_with_their_twins_and_with_their_definition(gpu);
        }
        "latent" => fused::the_way_through_the_latent_space_agrees_with_its_steps(gpu),
        "lanes" => kernels::invocations_stand_in_the_lanes_that_their_twin_has(gpu),
        "peak" => kernels::the_kernels_that_measure_peaks_do_all_of_their_work(gpu),
        "reduce" => kernels::sums_over_rows_agree_with_their_twins_from_buffers_and_textures(gpu),
        "reparam" => {
            kernels::sampling_and_its_gradient_agree_with_their_twins(gpu);
            kernels::weights_of_the_kl_term_agree_with_their_twins(gpu);
        }
        "rng" => {
            kernels::images_are_fetched_from_a_window_in_the_order_of_the_pass(gpu);
            state::normals_are_within_4_ulps_of_their_twins(gpu);
            state::shuffles_are_equal_to_their_twins(gpu);
        }
        "state" => state::the_state_advances_through_epochs_as_its_twin_does(gpu),
        _ => panic!("no check is named for shaders/{file}.wgsl"),
    }
}

/// The result for a mutant.
#[derive(Clone, Copy, PartialEq)]
enum Turned {
    Seen,
    Unseen,
    /// The mutant is not valid WGSL, such as the sum of a matrix and a vector.
    Refused,
}

fn turned(file: &str, mistake: &Mistake) -> Turned {
    // Of a batch past its last value, `fetch` reads words and stores none: the access itself must be seen.
    let right = match file {
        "fetch" => naming_gpu(),
        _ => checked_gpu(),
    };
    match mistake.plant(right) {
        Err(_) => Turned::Refused,
        Ok(planted) if fails(|| check_file(&planted, file)) => Turned::Seen,
        Ok(_) => Turned::Unseen,
    }
}

/// Tests mutants of these files, every `nth` product of a file.
fn every_turned_product_is_seen(files: &[&'static str], nth: usize, least: usize) {
    fail_fast();
    let gpu = checked_gpu();
    let mut mutants = Vec::new();
    for &file in files {
        if file == "conv_broadcast" && gpu.caps().subgroup_min < 8 {
            say("products of conv_broadcast are not turned: it needs subgroups of 8 or more");
            continue;
        }
        check_file(gpu, file);
        let every = products_turned(file).into_iter().skip(nth / 2);
        mutants.extend(every.step_by(nth).map(|mutant| (file, mutant)));
    }
    let turned = on_all_cores(&mutants, |(file, (_, mistake))| turned(file, mistake));
    let count = |what| turned.iter().filter(|t| **t == what).count();
    let (seen, refused) = (count(Turned::Seen), count(Turned::Refused));
    say(&format!(
        "of products turned into sums {seen} were seen by a check and {refused} by the compiler"
    ));
    let outcomes = mutants.iter().zip(&turned);
    let unseen = outcomes.filter(|(_, t)| **t == Turned::Unseen);
    let unseen: Vec<&str> = unseen.map(|((_, (place, _)), _)| place.as_str()).collect();
    assert!(
        unseen.is_empty(),
        "no check sees a sum in place of the product at\n{}",
        unseen.join("\n")
    );
    assert!(seen >= least, "only {seen} products");
}

#[test]
fn products_of_adam_and_of_the_sampling_turned_into_sums_are_seen() {
    every_turned_product_is_seen(&["adam", "common/reparam"], 1, 29);
}

// Some products of the convolutions; `make mutate` covers all products of all shaders.
#[test]
fn products_of_the_other_shaders_turned_into_sums_are_seen() {
    if everything() {
        return every_turned_product_is_seen(&files(), 1, 250);
    }
    // Drivers take minutes to compile mutants of the tiled kernels, so only `make mutate` does.
    every_turned_product_is_seen(&["conv"], 8, 3);
}
