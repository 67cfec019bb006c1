//! What AMD's compiler makes of the train step, on a machine without a GPU. Mesa's RADV opens null hardware
//! of a chosen family: it compiles as for a real GPU, reports registers, and executes nothing.
//! docs/testing.md says what is covered.

#![cfg(target_os = "linux")]

mod dispatches;
mod null;
mod report;

use std::io::Write;
use std::process::{Command, Output};

use dispatches::Job;
use null::{Compiled, Null};

/// A chip by the names that versions of Mesa give it.
struct Chip {
    families: &'static [&'static str],
    /// One dispatch stands for those that differ only in constants of the batch.
    briefly: bool,
}

static RDNA3: Chip = Chip {
    families: &["gfx1100", "navi31"],
    briefly: false,
};
static RDNA2: Chip = Chip {
    families: &["navi21"],
    briefly: true,
};
static VEGA: Chip = Chip {
    families: &["vega10"],
    briefly: true,
};

/// Exit status of a worker whose driver has no null hardware; that of an unknown family is Mesa's.
const ABSENT: i32 = 77;

#[allow(
    clippy::disallowed_methods,
    reason = "it says nothing that comes from a file"
)]
fn say(text: &str) {
    // Also shown if the test passes. A closed stream has no reader.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Runs an ignored test of this program in a process of its own, on the first family that RADV knows:
/// the driver reads the family once, and ends the process if it does not know it.
fn on(chip: &Chip, worker: &str) -> Option<Output> {
    let manifest = null::manifest()?;
    let program = std::env::current_exe().expect("the path of this program");
    for family in chip.families {
        let mut command = Command::new(&program);
        command.args(["--exact", worker, "--ignored", "--nocapture"]);
        command.env("CVAE_GPU_RADV_BRIEFLY", chip.briefly.to_string());
        null::prepare(&mut command, &manifest, family);
        let output = command.output().expect("this program runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let unknown = said.contains("Unknown family");
        if !unknown && output.status.code() != Some(ABSENT) {
            return Some(output);
        }
    }
    None
}

fn check(chip: &Chip) {
    let names = chip.families.join(", ");
    let Some(output) = on(chip, "every_dispatch_keeps_to_registers") else {
        return say(&format!(
            "NOT TESTED for {names}: no null hardware of Mesa's RADV (Debian: mesa-vulkan-drivers)"
        ));
    };
    let (out, error) = (&output.stdout, &output.stderr);
    assert!(
        output.status.success(),
        "{names}: {}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(error)
    );
}

#[test]
fn no_dispatch_spills_on_rdna3() {
    check(&RDNA3);
}

#[test]
fn no_dispatch_spills_on_rdna2() {
    check(&RDNA2);
}

#[test]
fn no_dispatch_spills_on_vega() {
    check(&VEGA);
}

fn null() -> Null {
    Null::open().unwrap_or_else(|| std::process::exit(ABSENT))
}

fn compile(null: &Null, job: &Job, with_isa: bool) -> Compiled {
    let compiled = null.compile(&job.spirv(), &job.entry, &job.bindings, with_isa);
    compiled.unwrap_or_else(|error| panic!("{}: {error}", job.label))
}

/// Registers that do not fit: statistics above zero that should be zero.
fn spilled(compiled: &Compiled) -> Vec<String> {
    let (mut found, mut seen) = (Vec::new(), 0);
    for name in ["Spilled VGPRs", "Spilled SGPRs", "Scratch size"] {
        if let Some(&value) = compiled.statistics.get(name) {
            seen += 1;
            if value > 0 {
                found.push(format!("{name}: {value}"));
            }
        }
    }
    assert_eq!(
        seen, 3,
        "this driver has other statistics: {:?}",
        compiled.statistics
    );
    found
}

/// A kernel with an array in scratch memory, and one with more values alive than registers.
fn planted() -> [Job; 2] {
    let job = |label: &str, text: &str| Job {
        label: label.to_owned(),
        kernels: String::new(),
        known: true,
        text: text.to_owned(),
        entry: "main".to_owned(),
        constants: Vec::new(),
        bindings: vec![0],
    };
    let indexed = "
        @group(0) @binding(0) var<storage, read_write> x: array<f32>;
        @compute @workgroup_size(64)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {
            var held: array<f32, 200>;
            for (var i = 0u; i < 1000u; i++) { held[u32(x[i]) % 200u] += x[i + id.x]; }
            x[id.x] = held[id.x % 200u];
        }";
    let mut many = String::from(
        "@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
        @compute @workgroup_size(1024)
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {\n",
    );
    let each = |line: &dyn Fn(u32) -> String| (0..80).map(line).collect::<String>();
    many += &each(&|i| format!("var v{i} = x[id.x * {}u];\n", 2 * i + 1));
    many += "for (var k = 0u; k < u32(x[0].x); k++) {\n";
    many += &each(&|i| format!("v{i} = v{i} * v{} + x[k + id.x];\n", (i + 1) % 80));
    many += "}\n";
    many += &each(&|i| format!("x[id.x + {i}u] = v{i};\n"));
    many += "}\n";
    [job("an indexed array", indexed), job("many values", &many)]
}

#[test]
#[ignore = "run by the tests above, on null hardware"]
fn every_dispatch_keeps_to_registers() {
    let null = null();
    for job in planted() {
        assert!(
            !spilled(&compile(&null, &job, false)).is_empty(),
            "{}",
            job.label
        );
    }
    let briefly = std::env::var("CVAE_GPU_RADV_BRIEFLY").is_ok_and(|value| value == "true");
    let jobs = dispatches::all(briefly);
    assert!(jobs.len() > 300, "only {} dispatches", jobs.len());
    let mut faults = Vec::new();
    for job in &jobs {
        let found = spilled(&compile(&null, job, false));
        if !found.is_empty() && !job.known {
            let found = found.join(", ");
            faults.push(format!("{}: {found}\n  {}", job.label, job.kernels));
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {}:\n{}",
        faults.len(),
        jobs.len(),
        faults.join("\n")
    );
}
