//! Runs the Python of docs/formats.md: other programs compute the results of `encode` and `decode`
//! from exported files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use cvae_gpu::explore::means;
use cvae_gpu::files::npy;
use tempfile::TempDir;

use super::made::{COUNT, LABELLED, Made, ODD, PIXEL, TUTORIAL, array, folder};

/// Appended to each snippet, which leaves `mean`, `logvar` and `probabilities` of the images.
const CHECK: &str = include_str!("snippets.py");

/// A Python with onnxruntime, which is installed if missing.
static ONNXRUNTIME: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/ensure-onnxruntime");
    pythons().find_map(|python| {
        let mut command = Command::new(python);
        let output = command
            .arg(&script)
            .stderr(Stdio::inherit())
            .output()
            .ok()?;
        let path = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| path.trim_end().into())
    })
});

/// The Python of the environment, else those of the system.
fn pythons() -> impl Iterator<Item = PathBuf> {
    let given = std::env::var_os("PYTHON").filter(|python| !python.is_empty());
    let known = ["python3", "python"].map(PathBuf::from);
    given.map(PathBuf::from).into_iter().chain(known)
}

/// A Python that has these modules.
fn python_with(modules: &str) -> Option<PathBuf> {
    pythons().find(|python| {
        let mut command = Command::new(python);
        command.args(["-c", &format!("import {modules}")]);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    })
}

/// The first block of Python under a heading of docs/formats.md.
fn snippet(heading: &str) -> String {
    let document = include_str!("../../docs/formats.md").replace("\r\n", "\n");
    let section = document.split("\n## ").find_map(|section| {
        let (title, text) = section.split_once('\n')?;
        (title == heading).then_some(text)
    });
    let (_, rest) = (section.expect(heading))
        .split_once("```python\n")
        .expect("a block of Python");
    let (block, _) = rest.split_once("```").expect("the end of the block");
    block.to_owned()
}

/// A folder with the images, the model in every format, `codes.npy`, and `decoded.npy` of their means.
fn exported(made: &Made) -> TempDir {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let images = &made.set.test.images;
    let pixels: Vec<f32> = (0..COUNT).flat_map(|i| images.values(i).unwrap()).collect();
    let write = |name: &str, shape: &[usize], values: &[f32]| {
        std::fs::write(path(name), npy::to_bytes(shape, values)).expect("a file");
    };
    let latent = made.trained.model.latent_dim;
    write(
        "images.npy",
        &[&[COUNT], &made.trained.model.image[..]].concat(),
        &pixels,
    );
    for command in [
        "export --format safetensors --out model.safetensors",
        "export --format pytorch --out vae.safetensors",
        "export --format onnx --out vae.onnx",
    ] {
        made.on_model(command, folder.path()).succeed();
    }
    made.on_images("encode --out codes.npy", folder.path())
        .succeed();
    let codes = array(&path("codes.npy"), &[COUNT, 2 * latent]);
    write("z.npy", &[COUNT, latent], &means(&codes, latent));
    let mut decode = made.on_model("decode --z z.npy --out decoded.npy", folder.path());
    if made.trained.model.labels > 0 {
        decode = decode.with("--class 2");
    }
    decode.succeed();
    folder
}

/// Runs a snippet in the folder of a model, or reports that it was skipped.
fn run(heading: &str, made: &Made, python: Option<PathBuf>, missing: &str) {
    run_text(
        heading,
        &(snippet(heading) + "\n" + CHECK),
        made,
        python,
        missing,
    );
}

/// Runs Python in the folder of a model, or reports that it was skipped.
#[allow(
    clippy::disallowed_methods,
    reason = "it says nothing that comes from a file"
)]
fn run_text(heading: &str, text: &str, made: &Made, python: Option<PathBuf>, missing: &str) {
    let Some(python) = python else {
        // Bypasses the harness, which hides the output of passing tests; in one write, since tests run
        // in parallel.
        let note =
            format!("NOT TESTED: the Python of docs/formats.md for {heading}, since {missing}\n");
        let _ = std::io::stderr().write_all(note.as_bytes());
        return;
    };
    let folder = exported(made);
    let output = Command::new(python)
        .args(["-c", text])
        .current_dir(folder.path())
        .output()
        .expect("Python starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{heading}: {said}");
}

/// Runs the graphs of a model with labels, of which docs/formats.md shows no example.
const LABELS: &str = r#"
import numpy as np
import onnxruntime as ort

images, codes, z = (np.load(f"{name}.npy") for name in ("images", "codes", "z"))
def one_hot(labels):
    return np.eye(4, dtype=np.float32)[labels]
encoder = ort.InferenceSession("vae.encoder.onnx")
decoder = ort.InferenceSession("vae.decoder.onnx")
count = len(images)
mean, _ = encoder.run(["mean", "t"], {"image": images, "label": one_hot(np.arange(count) % 4)})
_, image = decoder.run(["output", "mean"], {"z": z, "label": one_hot(np.full(count, 2))})
for found, expected in (mean, codes[:, :3]), (image, np.load("decoded.npy")):
    error = np.abs(found - expected).max()
    assert found.shape == expected.shape and error < 1e-5, error
"#;

const NO_PYPI: &str = "there is no Python that has onnxruntime or can install it";

#[test]
fn onnxruntime_computes_the_same_from_the_tutorials_model() {
    run("ONNX", &TUTORIAL, ONNXRUNTIME.clone(), NO_PYPI);
}

#[test]
fn onnxruntime_computes_the_same_from_a_colour_model_of_odd_widths() {
    run("ONNX", &ODD, ONNXRUNTIME.clone(), NO_PYPI);
}

#[test]
fn onnxruntime_computes_the_same_from_a_model_whose_code_is_a_pixel() {
    run("ONNX", &PIXEL, ONNXRUNTIME.clone(), NO_PYPI);
}

#[test]
fn onnxruntime_computes_the_same_from_a_model_with_labels() {
    run_text("ONNX", LABELS, &LABELLED, ONNXRUNTIME.clone(), NO_PYPI);
}

#[test]
fn keras_computes_the_same() {
    let python = python_with("keras, safetensors.numpy");
    let missing = "no Python has keras and safetensors ($PYTHON names one that does)";
    run("Keras", &TUTORIAL, python, missing);
}

#[test]
fn pytorch_computes_the_same() {
    let python = python_with("torch, safetensors.torch");
    let missing = "no Python has torch and safetensors ($PYTHON names one that does)";
    run("PyTorch", &TUTORIAL, python, missing);
}
