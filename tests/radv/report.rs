//! Statistics and assembly of each dispatch, for `scripts/radv-report`.

use std::path::Path;

use cvae_gpu::plan::{Plan, Step};
use serde_json::{Value, json};

use crate::dispatches::{self, Job};
use crate::null::Null;

/// Writes one dispatch; its assembly goes to `ID.s`.
fn dispatch(null: &Null, folder: &Path, id: &str, plan: &Plan, steps: &[&Step]) -> Value {
    let job = Job::of(id, steps);
    let compiled = crate::compile(null, &job, true);
    std::fs::write(folder.join(format!("{id}.s")), &compiled.isa).expect("a file of assembly");
    let members = steps.iter().map(|step| {
        let entry = step.kernel.source.reflect(step.kernel.entry);
        json!({
            "label": step.label,
            "kernel": format!("{}::{}", step.kernel.source.name, step.kernel.entry),
            "grid": step.grid,
            "workgroup": entry.expect("an entry point").workgroup,
            "flops": step.flops,
            "bytes": plan.step_bytes(step),
        })
    });
    json!({
        "id": id,
        "members": members.collect::<Vec<_>>(),
        "wave": compiled.wave,
        "statistics": compiled.statistics,
    })
}

/// With `CVAE_GPU_RADV=DIR`, the plans of batch 32 and 1024 of two models, and each step of a dispatch of
/// several by itself.
#[test]
#[ignore = "run by scripts/radv-report, on null hardware"]
fn write() {
    let Some(folder) = std::env::var_os("CVAE_GPU_RADV") else {
        return;
    };
    let null = crate::null();
    for case in dispatches::cases() {
        if !["tutorial", "colour"].contains(&case.name) {
            continue;
        }
        for batch in [32, 1024] {
            let folder = Path::new(&folder).join(format!("{}-{batch}", case.name));
            std::fs::create_dir_all(&folder).expect("a folder");
            let plan = case.plan(batch, &dispatches::gpu());
            let mut all = Vec::new();
            for (number, steps) in (1..).zip(dispatches::bundles(&plan)) {
                let id = format!("{number:02}");
                all.push(dispatch(&null, &folder, &id, &plan, &steps));
                if steps.len() > 1 {
                    for (member, step) in (b'a'..).zip(&steps) {
                        let id = format!("{id}{}", member as char);
                        all.push(dispatch(&null, &folder, &id, &plan, &[step]));
                    }
                }
            }
            let text = serde_json::to_string_pretty(&all).expect("JSON");
            std::fs::write(folder.join("dispatches.json"), text).expect("a file of JSON");
        }
    }
}
