//! Facts of the machine for a bug report. No path, user or host name is among them.

use std::env::{self, consts};
use std::fs;
use std::process::Command;
use std::thread;

/// Environment variables that change which adapter or kernels are used. `_PATH` and `_FILES` hold
/// paths, of which a report shows the file names.
const SETTINGS: [&str; 16] = [
    "CVAE_GPU_ADAPTER",
    "CVAE_GPU_BACKEND",
    "CVAE_GPU_DISABLE",
    "CVAE_GPU_VARIANT",
    "DRI_PRIME",
    "GALLIVM_PERF",
    "LIBGL_ALWAYS_SOFTWARE",
    "LP_NUM_THREADS",
    "MESA_VK_DEVICE_SELECT",
    "VK_ADD_DRIVER_FILES",
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "VK_INSTANCE_LAYERS",
    "VK_LAYER_PATH",
    "VK_LOADER_DRIVERS_DISABLE",
    "VK_LOADER_DRIVERS_SELECT",
];

/// The system, its version and the architecture of this program.
pub fn system() -> String {
    let name = match consts::OS {
        "linux" => linux(),
        "macos" => said("sw_vers", &["-productVersion"]).map(|version| format!("macOS {version}")),
        "windows" => said("cmd", &["/c", "ver"]),
        _ => None,
    };
    let name = name.unwrap_or_else(|| consts::OS.to_owned());
    format!("{name}, {}", consts::ARCH)
}

/// The distribution and the kernel.
fn linux() -> Option<String> {
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = value(&release, "PRETTY_NAME=").unwrap_or("an unknown distribution");
    Some(format!(
        "{}, Linux {}",
        name.trim_matches('"'),
        kernel.trim()
    ))
}

/// The processor, its threads and, where known, the main memory.
pub fn processor() -> String {
    let read = |file| fs::read_to_string(file).unwrap_or_default();
    let after_colon = |text: &str, key| {
        let value = value(text, key)?.trim_start_matches([' ', '\t', ':']);
        Some(value.to_owned())
    };
    let (name, bytes) = match consts::OS {
        "linux" => {
            let memory = after_colon(&read("/proc/meminfo"), "MemTotal");
            let kib = memory.and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
            let name = after_colon(&read("/proc/cpuinfo"), "model name");
            (name, kib.map(|kib| kib << 10))
        }
        "macos" => {
            let sysctl = |key| said("sysctl", &["-n", key]);
            let bytes = sysctl("hw.memsize").and_then(|text| text.parse().ok());
            (sysctl("machdep.cpu.brand_string"), bytes)
        }
        _ => (env::var("PROCESSOR_IDENTIFIER").ok(), None),
    };
    let threads = thread::available_parallelism().map_or(0, usize::from);
    let mut parts = vec![name.unwrap_or_else(|| "unknown".to_owned())];
    parts.push(format!("{threads} threads"));
    parts.extend(bytes.map(|bytes| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))));
    parts.join(", ")
}

/// The variables of [`SETTINGS`] that are set, with their values.
pub fn settings() -> Vec<String> {
    let set = SETTINGS.into_iter().filter_map(|name| {
        let value = env::var(name).ok().filter(|value| !value.is_empty())?;
        Some(format!("{name}={}", without_folders(&value)))
    });
    set.collect()
}

/// The value with the file name of each path in it.
fn without_folders(value: &str) -> String {
    let file = |part: &str| {
        let name = part.rsplit(['/', '\\']).find(|name| !name.is_empty());
        name.unwrap_or_default().to_owned()
    };
    let parts = value.split_inclusive([':', ';', ',']).map(|part| {
        let name = part.trim_end_matches([':', ';', ',']);
        file(name) + &part[name.len()..]
    });
    parts.collect()
}

/// The rest of the first line that starts with `key`.
fn value<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(key))
}

/// What a program of the system prints, in one line. `None` if it fails or prints nothing.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_path_only_the_file_name_is_shown() {
        for (value, shown) in [
            ("nvidia", "nvidia"),
            ("subgroups,texels", "subgroups,texels"),
            ("*lvp*,*intel*", "*lvp*,*intel*"),
            ("/home/jo/a.json:/usr/b.json", "a.json:b.json"),
            ("C:\\Users\\jo\\a.json;D:\\b.json", "C:a.json;D:b.json"),
            ("/home/jo/", "jo"),
            ("", ""),
        ] {
            assert_eq!(without_folders(value), shown);
        }
    }

    #[test]
    fn values_follow_their_key() {
        let text = "PRETTY_NAME=\"A 1\"\nNAME=\"A\"\n";
        assert_eq!(value(text, "PRETTY_NAME="), Some("\"A 1\""));
        assert_eq!(value(text, "NAME="), Some("\"A\""));
        assert_eq!(value(text, "VERSION="), None);
    }
}
