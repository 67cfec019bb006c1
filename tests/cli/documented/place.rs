//! A folder with the files that documented commands name.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cvae_gpu::data::Binarize;
use cvae_gpu::model::Filters;
use cvae_gpu::model::params;
use cvae_gpu::saved::Trained;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

use crate::sets;

/// The program with shorter work.
const SHORTER: &str = include_str!("shorter.sh");

/// A replacement for programs in the documents that the machine lacks.
const OTHERS: [&str; 3] = ["jq", "naga", "tensorboard"];
const STAND_IN: &str = "#!/bin/sh\ncat >/dev/null\n";

pub struct Place {
    root: TempDir,
    variables: String,
}

impl Place {
    /// A folder with image sets and weights under the names of the documents, and no run.
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| root.path().join(name);
        let folders = [
            "bin",
            "small",
            "assets",
            "home/.config/fish/completions",
            "home/.zfunc",
        ];
        for folder in folders {
            fs::create_dir_all(path(folder)).expect("a new folder");
        }
        for set in ["small/mnist", "mnist-idx", "DIR"] {
            sets::write_raw(&path(set), 28);
        }
        write_pictures(&path("photos"), 64);
        write_pictures(&path("more-photos"), 64);
        write_pictures(&path("parts"), 28);
        write_weights(&path("keras.safetensors"), [28, 28, 1]);
        for name in ["wide.safetensors", "big.safetensors"] {
            write_weights(&path(name), [32, 64, 1]);
        }
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/golden/p1.safetensors");
        fs::copy(golden, path("p1.safetensors")).expect("a copy");
        let document = include_str!("../../../docs/models.md").replace("\r\n", "\n");
        let (_, block) = document.split_once("```toml\n").expect("a description");
        let (block, _) = block.split_once("```").expect("its end");
        fs::write(path("model.toml"), block).expect("a new file");
        fs::write(path("calls"), "").expect("a new file");
        write_program(&path("bin/cvae-gpu"), SHORTER);
        for name in OTHERS.into_iter().filter(|name| !is_installed(name)) {
            write_program(&path("bin").join(name), STAND_IN);
        }
        Place {
            root,
            variables: String::new(),
        }
    }

    /// Sets a shell variable for the following lines.
    pub fn set(&mut self, assignment: &str) {
        self.variables += assignment;
        self.variables.push('\n');
    }

    /// Runs a line in a shell. The error says what went wrong.
    pub fn run(&self, line: &str) -> Result<(), String> {
        let path = |name: &str| self.root.path().join(name);
        let runtime = tempfile::tempdir().expect("a temporary folder");
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let paths = [path("bin")]
            .into_iter()
            .chain(std::env::split_paths(&paths));
        let calls = || fs::read_to_string(path("calls")).expect("the calls");
        let before = calls().lines().count();
        let output = Command::new("bash")
            .args(["-c", &format!("{}{line}", self.variables)])
            .current_dir(self.root.path())
            .env("PATH", std::env::join_paths(paths).expect("a path"))
            .env("PROGRAM", env!("CARGO_BIN_EXE_cvae-gpu"))
            .env("CALLS", path("calls"))
            .env("HOME", path("home"))
            // The path of PowerShell's profile.
            .env("PROFILE", path("profile.ps1"))
            .env("XDG_RUNTIME_DIR", runtime.path())
            .env("CVAE_GPU_CACHE", path("cache"))
            // Tests download nothing.
            .env("CVAE_GPU_MIRROR", "http://127.0.0.1:9")
            // Kernels that compile fast; other tests check their results.
            .env("GALLIVM_PERF", "nopt")
            .stdin(Stdio::null())
            .output()
            .expect("bash starts");
        let calls = calls();
        let made: Vec<&str> = calls.lines().skip(before).collect();
        let failed = made.iter().any(|call| !call.starts_with("0 "));
        // A line with only `jq` reads the files of a run.
        let is_silent = made.is_empty() && line.contains("cvae-gpu");
        if output.status.success() && !failed && !is_silent {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{line}`\n{}\n{said}", made.join("\n")))
    }
}

/// More than a batch of images of one size, in two classes.
fn write_pictures(folder: &Path, side: u32) {
    for class in 0..2 {
        let folder = folder.join(["left", "right"][class as usize]);
        fs::create_dir_all(&folder).expect("a new folder");
        for i in 0..20 {
            let light = |x: u32| (x < side / 2) == (class == 0);
            let level = |x, y| {
                if light(x) {
                    200 + i
                } else {
                    (x + y) as u8 % 64
                }
            };
            let picture = RgbImage::from_fn(side, side, |x, y| Rgb([level(x, y); 3]));
            let path = folder.join(format!("{i}.png"));
            picture.save(path).expect("a picture");
        }
    }
}

/// A plain file of untrained weights.
fn write_weights(path: &Path, image: [usize; 3]) {
    let model = Filters {
        image,
        encoder_filters: vec![8, 8],
        decoder_base: 8,
        decoder_filters: vec![8, 8],
        ..Filters::default()
    }
    .model();
    let specs = model.params();
    let start = params::initial(&specs, 1);
    let trained = Trained {
        weights: specs.into_iter().zip(start).collect(),
        data: None,
        classes: Vec::new(),
        binarize: Binarize::Threshold,
        model,
    };
    let mut file = trained.to_file();
    file.metadata.clear();
    file.write(path).expect("a file");
}

fn write_program(path: &Path, text: &str) {
    fs::write(path, text).expect("a new file");
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(path, mode).expect("a file of ours");
}

fn is_installed(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = |folder: PathBuf| File::open(folder.join(name)).is_ok();
    std::env::split_paths(&paths).any(found)
}
