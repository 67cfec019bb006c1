//! What a release depends on and no compiler checks.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).expect(path)
}

fn manifest() -> Table {
    read("Cargo.toml").parse().expect("Cargo.toml")
}

/// The packages whose optimization a profile sets, with their level.
fn levels(manifest: &Table, profile: &str) -> Vec<(String, i64)> {
    let packages = manifest["profile"][profile]["package"].as_table();
    let level = |settings: &Value| settings.get("opt-level")?.as_integer();
    let levels = packages.expect("packages").iter();
    levels
        .filter_map(|(name, settings)| Some((name.clone(), level(settings)?)))
        .collect()
}

#[test]
fn what_users_download_is_optimized_as_a_whole() {
    let manifest = manifest();
    let expected: Vec<(String, i64)> = levels(&manifest, "release")
        .into_iter()
        .map(|(name, _)| (name, 3))
        .collect();
    assert!(!expected.is_empty());
    assert_eq!(levels(&manifest, "dist"), expected);
}

#[test]
fn the_citation_has_the_version_of_the_package() {
    let expected = concat!("\nversion: ", env!("CARGO_PKG_VERSION"), "\n");
    assert!(read("CITATION.cff").contains(expected));
}

#[test]
fn the_documents_name_the_oldest_compiler_of_the_manifest() {
    let manifest = manifest();
    let version = manifest["package"]["rust-version"].as_str();
    let expected = format!("Rust {} or newer", version.expect("a version"));
    assert!(read("docs/install.md").contains(&expected), "{expected}");
}

#[test]
fn workflows_pin_each_action_by_commit() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let mut count = 0;
    for entry in fs::read_dir(folder).expect("workflows") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("text");
        let uses = text.lines().filter_map(|line| line.split_once("uses: "));
        for (_, action) in uses {
            let (_, version) = action.split_once('@').expect("a version");
            let (commit, tag) = version.split_once(" # v").unwrap_or((version, ""));
            let is_commit = commit.len() == 40 && commit.chars().all(|c| c.is_ascii_hexdigit());
            assert!(is_commit && !tag.is_empty(), "{path:?}: {action}");
            count += 1;
        }
    }
    assert!(count > 0);
}
