//! `devices --report`: what a bug report needs, and nothing personal.

use std::fs;

use super::program::Cli;

/// The value of an item.
fn item<'t>(text: &'t str, name: &str) -> &'t str {
    let start = format!("- {name}: ");
    let mut lines = text.lines();
    let found = lines.find_map(|line| line.strip_prefix(&start));
    found.unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn a_report_has_the_facts_of_the_machine_and_of_each_adapter_and_checks_it() {
    let json = Cli::new("devices --json").on_backend().succeed().json();
    let report = Cli::new("devices --report").on_backend().succeed().stdout;
    let mut parts = report.split("\n### Adapter ");
    let machine = parts.next().expect("a part");
    assert_eq!(item(machine, "version"), env!("CARGO_PKG_VERSION"));
    assert!(item(machine, "build").contains("shaders "), "{machine}");
    let system = item(machine, "system");
    assert!(system.ends_with(std::env::consts::ARCH), "{machine}");
    assert!(item(machine, "processor").contains(" threads"), "{machine}");
    let command = item(machine, "command");
    assert!(
        command.starts_with("cvae-gpu devices --report"),
        "{machine}"
    );
    let adapters = json["adapters"].as_array().expect("a list");
    let parts: Vec<&str> = parts.collect();
    assert_eq!(parts.len(), adapters.len(), "{report}");
    for (part, adapter) in parts.iter().zip(adapters) {
        let text = |key: &str| adapter[key].as_str().expect(key);
        let title = format!("{}: {}\n", adapter["index"], text("name"));
        assert!(part.starts_with(&title), "{part}");
        assert_eq!(item(part, "backend"), text("backend"));
        assert_eq!(item(part, "driver"), text("driver"));
        assert!(item(part, "type").starts_with(text("type")), "{part}");
        let binding = adapter["caps"]["max_binding_bytes"].as_u64();
        let binding = format!("{} MiB per binding", binding.expect("bytes") >> 20);
        assert!(item(part, "limits").starts_with(&binding), "{part}");
        let variants = adapter["variants"].as_array().expect("a list");
        let variants: Vec<&str> = variants.iter().filter_map(|v| v.as_str()).collect();
        assert_eq!(item(part, "kernels"), variants.join(" "));
        assert!(item(part, "features").contains("TIMESTAMP") || !part.contains("timestamps: yes"));
        assert_eq!(item(part, "tuned"), "none");
        let check = item(part, "check");
        let (passed, _) = check.split_once(" tensors of ").expect("a count");
        let counts: Vec<&str> = passed["passed: ".len()..].split(" of ").collect();
        assert!(passed.starts_with("passed: "), "{part}");
        assert!(counts.len() == 2 && counts[0] == counts[1], "{part}");
    }
}

#[test]
fn a_report_follows_the_flags_and_shows_them() {
    let words = "devices --report --disable subgroups,texels --variant tile";
    let report = Cli::new(words).on_adapter().succeed().stdout;
    assert!(item(&report, "command").contains("--variant tile"));
    assert_eq!(item(&report, "subgroups"), "none");
    assert!(item(&report, "kernels").contains("conv_tile"), "{report}");
    assert!(
        item(&report, "lowering").contains("textures no"),
        "{report}"
    );
}

#[test]
fn a_report_has_no_paths_and_no_names_of_people() {
    let home = tempfile::tempdir().expect("a folder");
    let jane = home.path().join("jane-doe");
    fs::create_dir(&jane).expect("a folder");
    let jane = jane.to_string_lossy().into_owned();
    let cli = Cli::new("devices --report").without_vulkan();
    let cli = cli.within(home.path());
    let names = ["HOME", "USER", "LOGNAME", "HOSTNAME", "CVAE_GPU_CACHE"];
    let cli = names
        .into_iter()
        .fold(cli, |cli, name| cli.env(name, &jane));
    let drivers = format!("{jane}/a.json:{jane}/b.json");
    let report = cli.env("VK_DRIVER_FILES", &drivers).run();
    assert!(
        report.stdout.contains("VK_DRIVER_FILES=a.json:b.json"),
        "{report}"
    );
    assert!(!report.stdout.contains("jane"), "{report}");
    let host = fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim();
    assert!(host.is_empty() || !report.stdout.contains(host), "{report}");
}

#[test]
fn without_an_adapter_the_report_is_complete_and_the_status_is_1() {
    let report = Cli::new("devices --report").without_vulkan().run();
    assert_eq!(report.code, Some(1), "{report}");
    assert_eq!(item(&report.stdout, "adapters"), "none");
    assert_ne!(item(&report.stdout, "system"), "");
    assert!(report.stderr.contains("error: no GPU adapter"), "{report}");
}

#[test]
fn a_report_lists_the_valid_choices_of_the_tuner() {
    let cache = tempfile::tempdir().expect("a folder");
    let on = |words: &str| {
        let cli = Cli::new(words).on_adapter();
        cli.env("CVAE_GPU_CACHE", &cache.path().to_string_lossy())
    };
    let words =
        "bench --tune --steps 1 --repeats 1 --batch 3 --encoder-filters 8,8 --disable texels";
    on(words).succeed();
    let folder = cache.path().join("tuned");
    let file = fs::read_dir(&folder).expect("a folder").next();
    let file = file.expect("a file").expect("an entry").path();
    let text = fs::read_to_string(&file).expect("text");
    // A choice that is valid for other shaders only.
    let mut other: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    other["setting"]["shaders"] = "others".into();
    other["setting"]["batch"] = 5.into();
    fs::write(folder.join("other.json"), other.to_string()).expect("a file");
    fs::write(folder.join("broken.json"), "{").expect("a file");
    let report = on("devices --report").succeed().stdout;
    let tuned = item(&report, "tuned");
    assert!(
        tuned.starts_with("batch 3, images 28×28×1, latent 2: "),
        "{report}"
    );
    assert!(tuned.contains(" ms per step, "), "{report}");
    assert_eq!(report.matches("- tuned: ").count(), 1, "{report}");
}

#[test]
fn a_report_is_text_and_no_json() {
    let words = ["--report", "--json"];
    Cli::new("devices --report --json").fail(2, &words);
}
