//! Sets of the Hugging Face hub, unpacked by `scripts/from-hugging-face`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::program::Cli;

/// Writes Parquet files as the hub lays image sets out, given a folder.
const MAKE: &str = r#"
import json, os, sys
import pyarrow as pa, pyarrow.parquet as pq

os.makedirs(f"{sys.argv[1]}/data")
names = ["zebra", "ant/../x", ".bee"]
features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
about = {"huggingface": json.dumps({"info": {"features": features}})}
parts = [("train-00000-of-00002", 300), ("train-00001-of-00002", 6), ("test-00000-of-00001", 9)]
for name, count in parts + [("validation-00000-of-00001", 5)]:
    images = [b"P5 8 8 255\n" + bytes([i % 256] * 64) for i in range(count)]
    images = pa.array([{"bytes": image, "path": f"../{i}"} for i, image in enumerate(images)])
    table = pa.table({"image": images, "label": [i % 3 for i in range(count)]})
    pq.write_table(table.replace_schema_metadata(about), f"{sys.argv[1]}/data/{name}.parquet")
"#;

/// A Python that has pyarrow.
fn python() -> Option<PathBuf> {
    let given = std::env::var_os("PYTHON").filter(|python| !python.is_empty());
    let all = given.map(PathBuf::from).into_iter();
    all.chain([PathBuf::from("python3")]).find(|python| {
        let mut command = Command::new(python);
        command.args(["-c", "import pyarrow.parquet"]);
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    })
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "it says nothing that comes from a file"
)]
fn parquet_files_of_the_hub_become_a_folder_of_images() {
    let Some(python) = python() else {
        // Bypasses the harness, which hides the output of passing tests.
        let note = "NOT TESTED: scripts/from-hugging-face, since no Python has pyarrow ($PYTHON names one that does)\n";
        let _ = std::io::stderr().write_all(note.as_bytes());
        return;
    };
    let root = tempfile::tempdir().expect("a folder");
    let root = root.path();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.args(arguments).current_dir(root);
        command.output().expect("Python starts")
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/from-hugging-face");
    let script = script.to_str().expect("a plain path");
    for arguments in [
        &["-c", MAKE, "hub"][..],
        &[script, "hub", "out"],
        &[script, "hub/data/train-00001-of-00002.parquet", "one"],
    ] {
        let output = run(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
    let info = |set: &str| {
        let info = Cli::new("data info --json").with(set).within(root);
        serde_json::from_str::<serde_json::Value>(&info.succeed().stdout).expect("JSON")
    };
    let found = info("out");
    assert_eq!(found["train_images"], 306);
    assert_eq!(found["test_images"], 9);
    // A name from a file is one visible folder.
    let names = serde_json::json!(["ant-..-x", "bee", "zebra"]);
    assert_eq!(found["class_names"], names);
    let found = info("one");
    let both = [&found["train_images"], &found["test_images"]].map(|n| n.as_u64().unwrap_or(0));
    assert_eq!(both, [5, 1]);
    assert_eq!(found["class_names"], names);
    let again = run(&[script, "hub", "out"]);
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(
        !again.status.success() && said.contains("exists already"),
        "{said}"
    );
}
