//! The commands that inform: devices, plan, shaders and data.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::program::Cli;
use super::sets;

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

#[test]
fn devices_lists_each_adapter_as_a_table_and_as_json() {
    let json = Cli::new("devices --json").on_backend().succeed();
    assert_eq!(json.stderr, "");
    let json = json.json();
    let table = Cli::new("devices").on_backend().succeed().stdout;
    let mut rows = table.lines();
    let header = rows.next().expect("a header");
    for column in ["index", "name", "backend", "driver", "kernels"] {
        assert!(header.contains(column), "{header}");
    }
    assert_eq!(json["schema"], 1);
    let devices = list(&json["adapters"]);
    assert!(!devices.is_empty());
    for (index, device) in devices.iter().enumerate() {
        assert_eq!(device["index"], index);
        let row = rows.next().expect("a row for each adapter");
        for key in ["name", "backend", "driver"] {
            let value = device[key].as_str().expect(key);
            assert!(row.contains(value), "no {key} {value:?} in {row:?}");
        }
        assert_ne!(device["name"], "");
        assert!(device["type"].is_string(), "{device}");
        let backend = device["backend"].as_str().expect("a backend");
        assert!(["vulkan", "metal", "dx12", "gl"].contains(&backend));
        assert!(!list(&device["variants"]).is_empty());
    }
    assert_eq!(rows.next(), None);
}

// A layer of Mesa prints an error where there is no display session.
#[test]
fn without_a_display_session_no_library_adds_to_the_output() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_cvae-gpu"))
        .arg("devices")
        .env_remove("XDG_RUNTIME_DIR")
        .env_remove("NODEVICE_SELECT")
        .output();
    let output = output.expect("the program starts");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.starts_with("index"), "{stdout}");
}

#[test]
fn messages_of_wgpu_are_shown_where_they_are_wanted() {
    let said = |words: &str| Cli::new(words).on_backend().succeed().stderr;
    let debug = said("devices -vvv");
    let from_wgpu = |line: &str| line.starts_with("debug: wgpu_");
    assert!(debug.lines().any(from_wgpu), "{debug}");
    for words in ["devices", "devices -v", "devices -vvv --quiet"] {
        assert!(!said(words).contains("debug:"), "{words}");
    }
}

#[test]
fn a_feature_that_is_switched_off_is_not_used() {
    let devices = Cli::new("devices --json --disable subgroups,texels,timestamps").on_backend();
    for device in list(&devices.succeed().json()["adapters"]) {
        let caps = &device["caps"];
        assert_eq!(caps["subgroup_max"], 0, "{device}");
        assert_eq!(caps["texels"], false, "{device}");
        assert_eq!(caps["timestamps"], false, "{device}");
        let variants = device["variants"].to_string();
        assert!(!variants.contains("broadcast"), "{device}");
        assert!(!variants.contains("texels"), "{device}");
    }
}

/// Checks a plan as JSON; returns its FLOPs and its convolution kernels.
fn check_plan(cli: Cli) -> (u64, BTreeSet<String>) {
    let plan = cli.succeed().json();
    let steps = list(&plan["steps"]);
    let dispatches = steps
        .iter()
        .map(|s| s["dispatch"].as_u64().expect("a number"));
    let numbers: BTreeSet<u64> = dispatches.clone().collect();
    assert!(dispatches.is_sorted() && numbers.iter().copied().eq(1..=numbers.len() as u64));
    assert_eq!(plan["dispatches"], numbers.len());
    for step in steps {
        assert_ne!(step["step"].as_str(), Some(""), "{step}");
        assert!(step["kernel"].as_str().is_some_and(|k| !k.is_empty()));
        let grid = list(&step["grid"]);
        assert_eq!(grid.len(), 3, "{step}");
        assert!(grid.iter().all(|n| n.as_u64() >= Some(1)), "{step}");
    }
    let sum = |key: &str| -> u64 { steps.iter().map(|s| s[key].as_u64().expect(key)).sum() };
    let flops = plan["flops"].as_u64().expect("a number");
    assert_eq!(flops, sum("flops"));
    assert!(sum("bytes") > 0);
    let variants = steps.iter().map(|s| s["variant"].as_str().expect("text"));
    let convolutions = variants.filter(|v| v.starts_with("conv"));
    (flops, convolutions.map(str::to_owned).collect())
}

#[test]
fn a_plan_gives_each_step_its_kernel_and_grid_and_their_sum_as_total() {
    let (one, _) = check_plan(Cli::new("plan --json --batch 1").on_adapter());
    let (eight, _) = check_plan(Cli::new("plan --json --batch 8").on_adapter());
    assert!(eight > 4 * one, "{eight} FLOPs for 8 images, {one} for 1");
}

#[test]
fn a_plan_follows_the_pinned_variant_and_needs_no_adapter() {
    let (_, plain) = check_plan(Cli::new("plan --json --variant plain").on_adapter());
    let (_, tile) = check_plan(Cli::new("plan --json --variant tile").on_adapter());
    assert!(plain.is_disjoint(&tile), "{plain:?} and {tile:?}");
    let (_, offline) = check_plan(Cli::new("plan --json --variant plain").without_vulkan());
    assert!(!offline.is_empty());
}

#[test]
fn a_plan_for_a_gpu_is_shown_anywhere_fused_or_not() {
    let plan = |words: &str| Cli::new("plan --gpu --json").with(words).without_vulkan();
    let (fused, unfused) = (check_plan(plan("")), check_plan(plan("--disable fusion")));
    assert_eq!(
        fused.1.contains("conv_workgroup"),
        unfused.1.contains("conv_workgroup")
    );
    let dispatches = |words| plan(words).succeed().json()["dispatches"].as_u64();
    assert!(dispatches("") < Some(15));
    assert!(dispatches("--disable fusion") > Some(40));
}

#[test]
fn the_plan_as_a_table_has_a_row_for_each_step_and_a_total() {
    let json = Cli::new("plan --json").on_adapter().succeed().json();
    let table = Cli::new("plan").on_adapter().succeed().stdout;
    let lines: Vec<&str> = table.lines().collect();
    let steps = list(&json["steps"]);
    for (line, step) in lines[1..].iter().zip(steps) {
        let name = step["step"].as_str().expect("a name");
        let kernel = step["kernel"].as_str().expect("a kernel");
        let dispatch = step["dispatch"].to_string();
        let row = line
            .trim_start()
            .strip_prefix(&dispatch)
            .map(str::trim_start);
        assert!(
            row.is_some_and(|r| r.starts_with(name) && r.contains(kernel)),
            "{line}"
        );
    }
    assert_eq!(lines.len(), steps.len() + 3, "header, steps, gap and total");
    let total = format!("{} steps in {} dispatches", steps.len(), json["dispatches"]);
    assert!(lines[steps.len() + 2].starts_with(&total), "{table}");
}

// Drivers round each slot up, to 256 bytes at most here.
#[test]
fn the_plan_says_how_much_memory_a_run_takes() {
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    let pixels: Vec<u8> = (0..90 * 32 * 32).map(|i| (i % 251) as u8).collect();
    std::fs::write(
        root.join("a.npy"),
        sets::npy("|u1", "(90, 32, 32)", &pixels),
    )
    .expect("a file");
    let model = "--data a.npy --encoder-filters 8,8,8 --batch 8 --variant plain";
    let plan = Cli::new("plan --json")
        .with(model)
        .on_adapter()
        .within(root);
    let plan = plan.succeed().json();
    let run = Cli::new("train --max-steps 1 --json --out run").with(model);
    let events = run.on_adapter().within(root).succeed().stdout;
    let events = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let started = events.into_iter().find(|event| event["event"] == "started");
    let taken = started.expect("a start")["device_bytes"]
        .as_f64()
        .expect("bytes");
    let said = plan["run_bytes"].as_f64().expect("bytes");
    assert!(said <= taken && taken < 1.1 * said, "{said} of {taken}");
    assert!(plan["bytes"].as_f64().is_some_and(|step| step < said));
}

#[test]
fn data_list_names_the_built_in_set() {
    let list = Cli::new("data list").succeed();
    assert!(list.stdout.contains("mnist"), "{list}");
    assert!(list.stdout.contains("60000 + 10000"), "{list}");
}

#[test]
fn data_info_says_what_was_packed_from_where() {
    let root = tempfile::tempdir().expect("a temporary folder");
    sets::write_gzip(&root.path().join("idx"), 12);
    let pack = |words: &str| Cli::new("data pack idx").with(words).within(root.path());
    let said = pack("--out boxes.safetensors.gz").succeed();
    assert!(said.stderr.contains("Wrote boxes.safetensors.gz"));
    assert_eq!(said.stdout, "");
    let said = pack("--grey -q --out grey.safetensors.gz").succeed();
    assert_eq!(said.stderr, "");
    let info = |file: &str| {
        let outcome = Cli::new("data info").with(file).within(root.path());
        outcome.succeed().stdout
    };
    let [bits, grey] = ["boxes.safetensors.gz", "grey.safetensors.gz"].map(info);
    for (text, words) in [
        (&bits, ["boxes", "1 bit", "binarized"]),
        (&grey, ["grey", "8 bit", "IDX"]),
    ] {
        let common = ["96 training, 40 test", "12×12×1", sets::TRAIN_IMAGES];
        for word in words.into_iter().chain(common) {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
    }
    assert!(!grey.contains("binarized"), "{grey}");
}

#[test]
fn shaders_lists_every_module_and_prints_what_the_driver_gets() {
    let json = Cli::new("shaders --json").succeed().json();
    let table = Cli::new("shaders").succeed().stdout;
    let modules = list(&json["modules"]);
    assert_eq!(table.lines().count(), modules.len() + 1, "{table}");
    for (row, module) in table.lines().skip(1).zip(modules) {
        let name = module["name"].as_str().expect("a name");
        assert!(row.starts_with(name), "{row}");
        let printed = Cli::new("shaders --print").with(name).succeed().stdout;
        let parsed = naga::front::wgsl::parse_str(&printed)
            .unwrap_or_else(|e| panic!("{name}: {}", e.emit_to_string(&printed)));
        let entries = list(&module["entries"]);
        assert_eq!(parsed.entry_points.len(), entries.len(), "{name}");
        for (point, entry) in parsed.entry_points.iter().zip(entries) {
            assert_eq!(*entry, point.name);
            assert!(row.contains(&point.name), "{row}");
        }
        for file in list(&module["files"]) {
            assert!(row.contains(file.as_str().expect("a file")), "{row}");
        }
    }
    let document = Cli::new("shaders --json --print adam").succeed().json();
    let text = document["wgsl"].as_str().expect("text");
    assert!(text.contains("fn update"), "{text}");
}

#[test]
fn an_unknown_shader_is_refused_with_a_list_of_those_there_are() {
    Cli::new("shaders --print nope").fail(1, &["nope", "adam", "conv_tile"]);
}

#[test]
fn data_info_shows_the_values_of_a_set_and_some_of_its_images() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let root = root.path();
    // Nine images of two values are trained on, and the last one is held out.
    let values = [
        &[0, 255].repeat(3)[..],
        &[16, 31].repeat(3),
        &[32, 32].repeat(4),
    ]
    .concat();
    std::fs::write(root.join("a.npy"), sets::npy("|u1", "(10, 1, 2)", &values)).expect("a file");
    std::fs::write(root.join("a.csv"), "x\nx\nx\ny\ny\ny\ny\ny\ny\nx\n").expect("a file");
    let info = Cli::new("data info a.npy --labels a.csv --out sheet.png --json").within(root);
    let info = info.succeed().json();
    let mean = (3 * 255 + 3 * (16 + 31) + 6 * 32) as f64 / 18.0;
    let mut histogram = [0; 16];
    histogram[..3].copy_from_slice(&[3, 6, 6]);
    histogram[15] = 3;
    let values = json!({"least": 0.0, "most": 255.0, "mean": mean, "histogram": histogram});
    assert_eq!(info["values"], values);
    assert_eq!(info["class_names"], json!(["x", "y"]));
    assert_eq!(info["class_counts"], json!([3, 6]));
    let sheet = image::open(root.join("sheet.png"))
        .expect("a picture")
        .into_luma8();
    // Cells of 68 pixels; an image of 1×2 pixels is enlarged to 32×64.
    assert_eq!(sheet.dimensions(), (8 * 68, 2 * 68));
    assert_eq!([18, 50].map(|x| sheet.get_pixel(x, 34).0[0]), [0, 255]);
    let text = Cli::new("data info a.npy").within(root).succeed().stdout;
    assert!(
        text.contains("values   0 to 255, mean 61.0, from 0 [▅██"),
        "{text}"
    );
}

#[test]
fn the_environment_chooses_an_adapter_where_one_is_used() {
    let modules = |cli: Cli| cli.succeed().stdout;
    let plain = || Cli::new("plan").env("CVAE_GPU_VARIANT", "plain");
    let table = modules(plain());
    assert!(
        table.contains(" conv ") && !table.contains("conv_"),
        "{table}"
    );
    let table = modules(plain().with("--variant tile"));
    assert!(table.contains("conv_tile"), "{table}");
    // An empty variable counts as not set.
    let own = modules(Cli::new("plan"));
    for name in ["ADAPTER", "BACKEND", "DISABLE", "VARIANT"] {
        let empty = Cli::new("plan").env(&format!("CVAE_GPU_{name}"), "");
        assert_eq!(modules(empty), own, "{name}");
    }
    let missing = Cli::new("bench").env("CVAE_GPU_ADAPTER", "no such adapter");
    missing.fail(1, &["no such adapter"]);
    let wrong = Cli::new("plan").env("CVAE_GPU_BACKEND", "glide");
    wrong.fail(2, &["--backend", "glide"]);
    // Nothing to choose, so the variable does not count.
    let list = Cli::new("data list").env("CVAE_GPU_BACKEND", "glide");
    list.succeed();
    Cli::new("data list --backend vulkan").fail(2, &["--backend"]);
}

// Of commands whose documents have no optional fields.
#[test]
fn json_documents_have_the_documented_fields() {
    let page = include_str!("../../docs/json.md");
    for command in ["devices", "plan", "data list", "data info mnist", "shaders"] {
        let cli = Cli::new(command).with("--json");
        let cli = if command == "devices" {
            cli.on_backend()
        } else {
            cli
        };
        let text = cli.succeed().stdout;
        let document: Value = serde_json::from_str(&text).expect("JSON");
        let document = document.as_object().expect("an object");
        assert_eq!(document.keys().next().map(String::as_str), Some("schema"));
        let name = command.trim_end_matches(" mnist");
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}`")));
        let row = row.unwrap_or_else(|| panic!("no row of {name}"));
        for field in document.keys().filter(|field| *field != "schema") {
            assert!(row.contains(&format!("`{field}`")), "{name}: {field}");
        }
        // Single words in code are fields, but for those of `--print`.
        let (_, row) = row[2..].split_once('|').expect("two columns");
        let (row, _) = row.split_once("; with `--print").unwrap_or((row, ""));
        for field in row.split('`').skip(1).step_by(2) {
            assert!(text.contains(&format!("\"{field}\"")), "{name}: {field}");
        }
    }
}
