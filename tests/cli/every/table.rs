//! The commands, and for each flag of each the words to give and what they do.

use super::own;

/// The effect of a flag.
pub enum See {
    /// The command ends with this status and a message with this text.
    Fails(i32, &'static str),
    /// The output has this text.
    Prints(&'static str),
    /// Standard error has this text.
    Says(&'static str),
    /// The output, without standard error, lacks this text.
    Lacks(&'static str),
    /// Standard error lacks this text.
    Unsaid(&'static str),
    /// Standard error lacks this text, which it has without the flag.
    Hushes(&'static str),
    /// The output differs from that with these words.
    Differs(&'static str),
    /// The command works, but does not with these words.
    Mends(&'static str),
    /// This file is written.
    Writes(&'static str),
    /// The output is the same: there is nothing to change.
    Same,
    /// This test shows it: its file below tests/, and its name.
    Elsewhere(&'static str, &'static str),
    /// The flags are parsed and used by the code of this command.
    As(&'static str),
}

/// Commands, one of their flags, the words to give, and what is seen.
pub struct Row(
    pub &'static [&'static str],
    pub &'static str,
    pub &'static str,
    pub See,
);

/// Each command but `train`, for which there is `flags`, with words for a short run. Words of a row
/// replace an option of the same name, or the word without an option.
pub const COMMANDS: [(&str, &str); 23] = [
    ("eval", "--model run --limit 4"),
    ("sample", "--model run --count 2 --out -"),
    ("reconstruct", "--model run --limit 4 --out -"),
    ("manifold", "--model run --side 2 --out -"),
    (
        "interpolate",
        "--model run --from 0 --to 1 --steps 3 --out -",
    ),
    ("encode", "--model run --limit 4 --out -"),
    ("decode", "--model run --z codes.npy --out -"),
    ("score", "--model run --limit 4 --out -"),
    ("latent", "--model run --limit 4 --out -"),
    ("export", "--model run --format pytorch --out -"),
    ("import", "--from run/model.safetensors --out -"),
    ("check", "--case case.safetensors"),
    (
        "bench",
        "--batch 2 --steps 1 --repeats 1 --encoder-filters 8,8",
    ),
    ("devices", ""),
    ("plan", "--batch 2"),
    ("shaders", ""),
    ("runs", "."),
    ("data list", ""),
    ("data pack", "idx --out -"),
    ("data info", "idx"),
    ("data verify", ""),
    ("completions", "bash"),
    ("man", ""),
];

const ALL: &[&str] = &[
    "eval",
    "sample",
    "reconstruct",
    "manifold",
    "interpolate",
    "encode",
    "decode",
    "score",
    "latent",
    "export",
    "import",
    "check",
    "bench",
    "devices",
    "plan",
    "shaders",
    "runs",
    "data list",
    "data pack",
    "data info",
    "data verify",
    "completions",
    "man",
];
/// Those that run a model on an adapter.
const EXPLORE: &[&str] = &[
    "eval",
    "sample",
    "reconstruct",
    "manifold",
    "interpolate",
    "encode",
    "decode",
    "score",
    "latent",
];
const MODEL: &[&str] = &[
    "eval",
    "sample",
    "reconstruct",
    "manifold",
    "interpolate",
    "encode",
    "decode",
    "score",
    "latent",
    "export",
];
const IMAGES: &[&str] = &[
    "eval",
    "reconstruct",
    "interpolate",
    "encode",
    "score",
    "latent",
];
/// Those that read images of any kind by their only argument.
const SETS: &[&str] = &["data pack", "data info"];
/// Those that print the kernels that they would use.
const KERNELS: &[&str] = &["check", "bench", "devices", "plan"];
const PICTURES: &[&str] = &["sample", "reconstruct", "manifold", "interpolate", "latent"];

/// A backend that this system lacks.
const FOREIGN: &str = if cfg!(target_os = "macos") {
    "--backend dx12"
} else {
    "--backend metal"
};

pub fn rows() -> Vec<Row> {
    [
        common(),
        of_models(),
        of_images(),
        of_adapters(),
        own::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn common() -> Vec<Row> {
    use See::{Elsewhere, Hushes, Lacks, Prints, Same, Says};
    let progress = "every_flag_has_an_effect_on_a_run_that_goes_on_or_is_refused";
    vec![
        Row(ALL, "--help", "--help", Prints("Usage:")),
        // Shown for jobs of more than half a second, which are not run here.
        Row(ALL, "--progress", "", Elsewhere("cli/flags.rs", progress)),
        Row(EXPLORE, "--quiet", "--quiet", Hushes("Weights: ")),
        Row(&["export"], "--quiet", "--quiet", Hushes("Weights: ")),
        Row(&["import"], "--quiet", "--quiet", Hushes("A model of ")),
        Row(&["data pack"], "--quiet", "--quiet", Hushes("Taking ")),
        Row(&["check"], "--quiet", "--quiet", Lacks("kernels ")),
        Row(&["runs"], "--quiet", "idx --quiet", Hushes("There are no")),
        Row(&["man"], "--quiet", "--out more --quiet", Hushes("Wrote ")),
        Row(
            &["data info"],
            "--quiet",
            "--out sheet.png --quiet",
            Hushes("Wrote "),
        ),
        Row(
            &["bench"],
            "--quiet",
            "",
            Elsewhere(
                "cli/bench.rs",
                "compare_sets_every_figure_beside_the_one_before",
            ),
        ),
        Row(
            &[
                "devices",
                "plan",
                "shaders",
                "data list",
                "data verify",
                "completions",
            ],
            "--quiet",
            "--quiet",
            Same,
        ),
        Row(EXPLORE, "--verbose", "--verbose", Says("Adapter: ")),
        Row(
            &["bench", "check", "devices", "plan"],
            "--verbose",
            "",
            Elsewhere(
                "cli/inform.rs",
                "messages_of_wgpu_are_shown_where_they_are_wanted",
            ),
        ),
        Row(
            &[
                "export",
                "import",
                "shaders",
                "runs",
                "data list",
                "data pack",
                "data info",
                "data verify",
                "completions",
                "man",
            ],
            "--verbose",
            "--verbose",
            Same,
        ),
    ]
}

/// The flags of commands with a trained model.
fn of_models() -> Vec<Row> {
    use See::{Differs, Fails, Prints, Same, Says};
    const SCHEMA: See = Prints("\"schema\": 1");
    vec![
        Row(MODEL, "--model", "--model nowhere", Fails(1, "nowhere")),
        Row(EXPLORE, "--batch", "--batch 3 -v", Says("batch 3")),
        // No device works and nothing is drawn.
        Row(&["export"], "--batch", "--batch 3", Same),
        Row(
            &["eval", "sample", "score"],
            "--seed",
            "--seed 7",
            Differs(""),
        ),
        Row(
            &[
                "reconstruct",
                "manifold",
                "interpolate",
                "encode",
                "decode",
                "latent",
                "export",
            ],
            "--seed",
            "--seed 7",
            Same,
        ),
        Row(&["eval"], "--json", "--json", SCHEMA),
        Row(PICTURES, "--json", "--json --out a.png", SCHEMA),
        Row(&["encode", "score"], "--json", "--json --out a.csv", SCHEMA),
        Row(&["decode"], "--json", "--json --out a.npy", SCHEMA),
        Row(&["export"], "--json", "--json --out a.safetensors", SCHEMA),
        Row(
            MODEL,
            "--latent-dim",
            "--latent-dim 3",
            Fails(1, "--latent-dim 3"),
        ),
        Row(
            MODEL,
            "--encoder-filters",
            "--encoder-filters 4,4",
            Fails(1, "--encoder-filters 4,4"),
        ),
        Row(
            MODEL,
            "--decoder-filters",
            "--decoder-filters 4,4",
            Fails(1, "--decoder-filters 4,4"),
        ),
        Row(
            MODEL,
            "--decoder-base",
            "--decoder-base 4",
            Fails(1, "--decoder-base 4"),
        ),
        Row(MODEL, "--kl", "--kl analytic", Fails(1, "--kl analytic")),
        Row(MODEL, "--beta", "--beta 4", Fails(1, "--beta 4")),
    ]
}

/// The flags of commands with images.
fn of_images() -> Vec<Row> {
    use See::{Differs, Fails, Mends, Same};
    vec![
        Row(IMAGES, "--data", "--data mnist", Differs("")),
        Row(IMAGES, "--split", "--split train", Differs("")),
        Row(
            &["eval", "reconstruct", "encode", "score", "latent"],
            "--limit",
            "--limit 2",
            Differs(""),
        ),
        Row(
            &["interpolate"],
            "--limit",
            "--limit 1",
            Fails(1, "numbered from 0 to 0"),
        ),
        Row(
            IMAGES,
            "--binarize",
            "--binarize none",
            Fails(1, "--binarize none"),
        ),
        Row(IMAGES, "--size", "--size 32", Fails(1, "32×32×1")),
        Row(IMAGES, "--channels", "--channels 3", Fails(1, "28×28×3")),
        Row(
            IMAGES,
            "--fit",
            "--data photos --size 28 --fit crop",
            Differs("--data photos --size 28"),
        ),
        Row(
            IMAGES,
            "--background",
            "--data photos --size 28 --fit pad --background white",
            Differs("--data photos --size 28 --fit pad"),
        ),
        Row(
            IMAGES,
            "--skip-broken",
            "--data broken --size 28 --skip-broken",
            Mends("--data broken --size 28"),
        ),
        Row(
            IMAGES,
            "--array",
            "--data two.npz --image-size 28,28 --array a",
            Mends("--data two.npz --image-size 28,28"),
        ),
        Row(
            IMAGES,
            "--labels",
            "--data rows.npy --image-size 28,28 --labels nowhere.csv",
            Fails(1, "nowhere.csv"),
        ),
        Row(
            IMAGES,
            "--image-size",
            "--data rows.npy --image-size 28,28",
            Mends("--data rows.npy"),
        ),
        Row(
            IMAGES,
            "--test-fraction",
            "--test-fraction 0.5",
            Fails(1, "--test-fraction"),
        ),
        // Results do not depend on it; tests/train compares them.
        Row(IMAGES, "--data-memory", "--data-memory 1K", Same),
        Row(
            SETS,
            "--size",
            "photos --size 12",
            Differs("photos --size 28"),
        ),
        Row(
            SETS,
            "--fit",
            "photos --size 28 --fit crop",
            Differs("photos --size 28"),
        ),
        Row(
            SETS,
            "--background",
            "photos --size 28 --fit pad --background white",
            Differs("photos --size 28 --fit pad"),
        ),
        Row(
            SETS,
            "--skip-broken",
            "broken --size 28 --skip-broken",
            Mends("broken --size 28"),
        ),
        Row(SETS, "--channels", "idx --channels 3", Differs("")),
        Row(
            SETS,
            "--array",
            "two.npz --image-size 28,28 --array a",
            Mends("two.npz --image-size 28,28"),
        ),
        Row(
            SETS,
            "--labels",
            "rows.npy --image-size 28,28 --labels nowhere.csv",
            Fails(1, "nowhere.csv"),
        ),
        Row(
            SETS,
            "--image-size",
            "rows.npy --image-size 28,28",
            Mends("rows.npy"),
        ),
        Row(
            SETS,
            "--test-fraction",
            "rows.npy --image-size 28,28 --test-fraction 0.5",
            Differs("rows.npy --image-size 28,28"),
        ),
    ]
}

/// The flags of the adapter.
fn of_adapters() -> Vec<Row> {
    use See::{Differs, Elsewhere, Fails, Lacks, Prints, Same, Says, Unsaid};
    let bounds = "an_access_out_of_bounds_is_named";
    let mut rows = Vec::new();
    for commands in [EXPLORE, KERNELS] {
        rows.push(Row(
            commands,
            "--adapter",
            "--adapter none-such",
            Fails(1, "none-such"),
        ));
    }
    rows.extend([
        Row(EXPLORE, "--backend", FOREIGN, Fails(1, "no GPU adapter")),
        Row(
            &["check", "bench", "devices"],
            "--backend",
            FOREIGN,
            Fails(1, "no GPU adapter"),
        ),
        // Without an adapter, the plan is that of the least one.
        Row(&["plan"], "--backend", FOREIGN, Differs("")),
        Row(
            EXPLORE,
            "--disable",
            "-v --disable texels",
            Unsaid("_texels"),
        ),
        Row(KERNELS, "--disable", "--disable texels", Lacks("_texels")),
        Row(
            EXPLORE,
            "--variant",
            "-v --variant plain",
            Says("kernels conv, "),
        ),
        Row(KERNELS, "--variant", "--variant plain", Lacks("conv_")),
        Row(EXPLORE, "--checked", "-v --checked", Says(", checked")),
        Row(
            KERNELS,
            "--checked",
            "",
            Elsewhere("kernels/bounds.rs", bounds),
        ),
        Row(EXPLORE, "--fuse", "-v --fuse", Unsaid("_texels")),
        Row(
            &["check", "bench", "devices"],
            "--fuse",
            "--fuse",
            Lacks("_texels"),
        ),
        Row(
            &["plan"],
            "--fuse",
            "--fuse",
            Prints("fetch, encoder.conv1"),
        ),
        Row(
            &["bench"],
            "--untuned",
            "",
            Elsewhere(
                "cli/tune.rs",
                "what_is_found_is_kept_for_runs_which_keep_it",
            ),
        ),
        // These use no tuned kernels.
        Row(EXPLORE, "--untuned", "--untuned", Same),
        Row(&["devices", "plan"], "--untuned", "--untuned", Same),
        Row(&["check"], "--untuned", "--untuned", Prints("passed: ")),
    ]);
    rows
}
