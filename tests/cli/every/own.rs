//! The flags of single commands.

use super::table::{Row, See};

pub fn rows() -> Vec<Row> {
    [of_pictures(), of_tables(), of_plans(), of_others()]
        .into_iter()
        .flatten()
        .collect()
}

fn of_pictures() -> Vec<Row> {
    use See::{Differs, Fails, Writes};
    vec![
        Row(
            &["sample", "reconstruct", "manifold", "interpolate", "latent"],
            "--out",
            "--out new.png",
            Writes("new.png"),
        ),
        Row(
            &["sample", "manifold"],
            "--npy",
            "--out a.png --npy new.npy",
            Writes("new.npy"),
        ),
        Row(&["sample"], "--count", "--count 3", Differs("")),
        Row(&["reconstruct"], "--count", "--count 1", Differs("")),
        Row(&["manifold"], "--side", "--side 3", Differs("")),
        Row(&["manifold", "latent"], "--dims", "--dims 1,0", Differs("")),
        // `classes` draws one.
        Row(
            &["sample", "manifold", "decode"],
            "--class",
            "--class 1",
            Fails(1, "--class 1: the model is not conditioned"),
        ),
        Row(&["interpolate"], "--from", "--from 2", Differs("")),
        Row(&["interpolate"], "--to", "--to 2", Differs("")),
        Row(&["interpolate"], "--steps", "--steps 4", Differs("")),
    ]
}

fn of_tables() -> Vec<Row> {
    use See::{Differs, Fails, Prints, Writes};
    vec![
        Row(&["eval"], "--samples", "--samples 2", Prints("IWAE")),
        Row(
            &["eval"],
            "--per-image",
            "--per-image new.csv",
            Writes("new.csv"),
        ),
        Row(
            &["encode", "score"],
            "--out",
            "--out new.csv",
            Writes("new.csv"),
        ),
        Row(&["score"], "--worst", "--worst 2", Differs("")),
        Row(
            &["decode"],
            "--z",
            "--z nowhere.npy",
            Fails(1, "nowhere.npy"),
        ),
        Row(&["decode"], "--out", "--out new.npy", Writes("new.npy")),
        Row(&["export"], "--format", "--format safetensors", Differs("")),
        Row(
            &["export", "import"],
            "--out",
            "--out new.safetensors",
            Writes("new.safetensors"),
        ),
        Row(&["import"], "--from", "--from nowhere", Fails(1, "nowhere")),
        Row(
            &["import"],
            "--arch",
            "--arch nowhere.toml",
            Fails(1, "nowhere.toml"),
        ),
        Row(
            &["import"],
            "--image-size",
            "--image-size 32,32",
            Fails(1, "--image-size 32,32"),
        ),
        Row(&["import"], "--kl", "--kl analytic", Differs("")),
        Row(&["import"], "--beta", "--beta 4", Differs("")),
        Row(&["import"], "--binarize", "--binarize none", Differs("")),
        Row(
            &["import"],
            "--json",
            "--json --out a.safetensors",
            Prints("\"schema\": 1"),
        ),
    ]
}

fn of_plans() -> Vec<Row> {
    use See::{As, Differs, Elsewhere, Fails, Prints, Same};
    let subject = [
        "--arch",
        "--latent-dim",
        "--decoder-filters",
        "--decoder-base",
        "--posterior",
        "--likelihood",
        "--sigma",
        "--conditional",
        "--kl",
        "--beta",
        "--data",
        "--image-size",
    ];
    let mut rows: Vec<Row> = subject
        .map(|flag| Row(&["bench"], flag, "", As("plan")))
        .into();
    rows.extend([
        Row(&["plan"], "--batch", "--batch 3", Differs("")),
        Row(&["plan"], "--gpu", "--gpu", Prints("conv_workgroup")),
        Row(&["plan"], "--json", "--json", Prints("\"schema\": 1")),
        Row(&["plan"], "--arch", "--arch keras", Differs("")),
        Row(&["plan"], "--latent-dim", "--latent-dim 3", Differs("")),
        Row(
            &["plan"],
            "--encoder-filters",
            "--encoder-filters 8,8",
            Differs(""),
        ),
        Row(
            &["plan"],
            "--decoder-filters",
            "--decoder-filters 8,8",
            Differs(""),
        ),
        Row(&["plan"], "--decoder-base", "--decoder-base 8", Differs("")),
        Row(&["plan"], "--posterior", "--posterior full", Differs("")),
        Row(
            &["plan"],
            "--likelihood",
            "--likelihood gaussian",
            Differs(""),
        ),
        Row(
            &["plan"],
            "--sigma",
            "--likelihood gaussian --sigma learned",
            Differs("--likelihood gaussian --sigma 0.1"),
        ),
        Row(&["plan"], "--conditional", "--conditional", Differs("")),
        // Constants of the same kernels.
        Row(&["plan"], "--kl", "--kl analytic", Same),
        Row(&["plan"], "--beta", "--beta 4", Same),
        Row(&["plan"], "--data", "--data idx", Differs("")),
        Row(&["plan"], "--image-size", "--image-size 32,32", Differs("")),
        Row(
            &["bench"],
            "--encoder-filters",
            "--encoder-filters 8 --decoder-filters 8,8",
            Fails(1, "give as many"),
        ),
        Row(&["bench"], "--batch", "--batch 3", Prints("batch 3:")),
        Row(&["bench"], "--steps", "--steps 2", Prints("of 2 steps")),
        Row(
            &["bench"],
            "--repeats",
            "--repeats 2",
            Prints("in 2 repeats"),
        ),
        Row(&["bench"], "--profile", "--profile", Prints("of peak")),
        Row(&["bench"], "--sweep", "--sweep 1", Prints("ms per step")),
        Row(
            &["bench"],
            "--compare",
            "--compare nowhere.json",
            Fails(1, "nowhere.json"),
        ),
        Row(
            &["bench"],
            "--tune",
            "",
            Elsewhere(
                "cli/tune.rs",
                "what_is_found_is_kept_for_runs_which_keep_it",
            ),
        ),
        Row(&["bench"], "--json", "--json", Prints("\"schema\": 1")),
    ]);
    rows
}

fn of_others() -> Vec<Row> {
    use See::{Differs, Elsewhere, Fails, Prints, Writes};
    vec![
        Row(&["check"], "--case", "--case nowhere", Fails(1, "nowhere")),
        Row(
            &["check"],
            "--dump",
            "--dump dumped",
            Writes("dumped/case.safetensors"),
        ),
        Row(
            &["check"],
            "--strict",
            "",
            Elsewhere(
                "cli/check.rs",
                "strictness_refuses_what_the_ordinary_limits_let_pass",
            ),
        ),
        Row(&["check"], "--trace", "--trace", Prints("trace of")),
        Row(
            &[
                "check",
                "devices",
                "shaders",
                "runs",
                "data list",
                "data info",
                "data verify",
            ],
            "--json",
            "--json",
            Prints("\"schema\": 1"),
        ),
        Row(
            &["devices"],
            "--report",
            "--report",
            Prints("- check: passed"),
        ),
        Row(&["shaders"], "--print", "--print adam", Prints("@compute")),
        Row(
            &["data pack"],
            "--out",
            "--out new.safetensors.gz",
            Writes("new.safetensors.gz"),
        ),
        Row(
            &["data pack"],
            "--grey",
            "photos --size 28 --grey",
            Differs("photos --size 28"),
        ),
        Row(&["data pack"], "--binarize", "--binarize none", Differs("")),
        Row(&["data info"], "--out", "--out new.png", Writes("new.png")),
        Row(
            &["man"],
            "--out",
            "--out pages",
            Writes("pages/cvae-gpu-train.1"),
        ),
    ]
}
