//! Files that packages install with the program: completions and manual pages.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use super::program::Cli;

#[test]
fn completions_know_every_command_and_option_of_theirs_and_none_that_is_hidden() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = Cli::new("completions").with(shell).succeed();
        assert_eq!(said.stderr, "", "{said}");
        let words = ["cvae-gpu", "reconstruct", "latent-dim", "pytorch"];
        // Those of PowerShell and Elvish do not complete the values of options.
        let known = match shell {
            "powershell" | "elvish" => &words[..3],
            _ => &words[..],
        };
        for word in known {
            assert!(said.stdout.contains(word), "{shell} has no {word}");
        }
        assert!(!said.stdout.contains("inject"), "{shell}");
    }
}

#[test]
fn bash_completes_commands_options_and_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = Cli::new("completions bash").succeed().stdout;
    fs::write(folder.path().join("completions"), script).expect("a file");
    fs::write(folder.path().join("photos.png"), "").expect("a file");
    for (line, expected) in [
        ("cvae-gpu recon", "reconstruct"),
        ("cvae-gpu train --latent", "--latent-dim"),
        ("cvae-gpu export --format o", "onnx"),
        ("cvae-gpu plan --backend v", "vulkan"),
        ("cvae-gpu plan --disable te", "texels"),
        ("cvae-gpu bench --variant br", "broadcast"),
        ("cvae-gpu train --arch ke", "keras"),
        ("cvae-gpu train --data fash", "fashion-mnist"),
        ("cvae-gpu data info cif", "cifar10"),
        ("cvae-gpu data verify k", "kmnist"),
        ("cvae-gpu shaders --print lat", "latent"),
        ("cvae-gpu bench --adapter 0", "0"),
        ("cvae-gpu sample --out pho", "photos.png"),
        // No file of that name for a number, and none of any name for a folder.
        ("cvae-gpu train --epochs pho", "pho"),
        ("cvae-gpu train --out pho", ""),
    ] {
        // The arguments of bash: the command, the word to complete, and the word before.
        let call = "source ./completions; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
                    _cvae__gpu cvae-gpu \"${COMP_WORDS[COMP_CWORD]}\" \
                    \"${COMP_WORDS[COMP_CWORD - 1]}\"; echo \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        bash.args(["-c", call, "bash", line]);
        bash.current_dir(folder.path()).env("PATH", program_first());
        let output = match bash.output() {
            Err(e) if e.kind() == ErrorKind::NotFound && cfg!(windows) => return,
            output => output.expect("bash"),
        };
        let found = String::from_utf8_lossy(&output.stdout);
        assert_eq!(found.trim_end(), expected, "{line}: {output:?}");
    }
}

/// Paths of programs, that of this one first.
fn program_first() -> OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_cvae-gpu")).parent();
    let paths = env::var_os("PATH").unwrap_or_default();
    let paths = program
        .map(Path::to_owned)
        .into_iter()
        .chain(env::split_paths(&paths));
    env::join_paths(paths).expect("paths")
}

#[test]
fn other_shells_complete_names_and_files_of_options_that_take_both() {
    let script = |shell: &str| Cli::new("completions").with(shell).succeed().stdout;
    let zsh = script("zsh");
    for part in [
        "SOURCE:{compadd -- mnist fashion-mnist kmnist cifar10; _files}'",
        "NAME|FILE.toml:{compadd -- tutorial keras dense tfp; _files}'",
        "NAME|INDEX:{compadd -- $(cvae-gpu devices",
        "BACKEND:(vulkan metal dx12 gl)'",
        "DIR:_files -/'",
        "EPOCHS:'",
    ] {
        assert!(zsh.contains(part), "no {part} in {zsh}");
    }
    let fish = script("fish");
    for part in [
        "-r -F -a \"mnist\\t''",
        "-r -F -a \"tutorial\\t''",
        "-a \"(cvae-gpu devices",
    ] {
        assert!(fish.contains(part), "no {part} in {fish}");
    }
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(!script(shell).contains("ADAPTER_INDEX"), "{shell}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("completions"), fish).expect("a file");
    fs::write(folder.path().join("mnist.toml"), "").expect("a file");
    for (line, expected) in [
        ("train --data mn", vec!["mnist", "mnist.toml"]),
        ("train --arch t", vec!["tfp", "tutorial"]),
        ("bench --adapter 0", vec!["0"]),
        ("train --epochs mn", vec![]),
    ] {
        let call = format!("source ./completions; complete -C 'cvae-gpu {line}'");
        let mut shell = Command::new("fish");
        shell.args(["--no-config", "-c", &call]);
        shell
            .current_dir(folder.path())
            .env("PATH", program_first());
        let output = match shell.output() {
            Err(e) if e.kind() == ErrorKind::NotFound => return,
            output => output.expect("fish"),
        };
        let found = String::from_utf8_lossy(&output.stdout);
        let words = found.lines().filter_map(|line| line.split('\t').next());
        assert_eq!(words.collect::<Vec<_>>(), expected, "{line}: {output:?}");
    }
}

#[test]
fn every_command_has_a_page_with_its_options_and_examples_line_by_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let man = folder.path().join("share/man1");
    let said = Cli::new("man --out").path(&man).succeed();
    assert_eq!(said.stdout, "", "{said}");
    let page = |name: &str| {
        let text = fs::read_to_string(man.join(name)).expect(name);
        text.replace("\\-", "-")
    };
    let main = page("cvae-gpu.1");
    let printed = Cli::new("man").succeed().stdout;
    assert_eq!(printed.replace("\\-", "-"), main);
    let names = main.lines().filter_map(|line| line.strip_suffix("(1)"));
    let names: Vec<&str> = names.collect();
    assert!(names.contains(&"cvae-gpu-train") && !names.contains(&"cvae-gpu-help"));
    for name in names {
        let text = page(&format!("{name}.1"));
        assert!(text.contains(&format!(".TH {name} 1")), "{text}");
        let command = name.replace("data-", "data ").replacen('-', " ", 2);
        let command = command.replacen("cvae gpu", "cvae-gpu", 1);
        let (_, examples) = text.split_once(".SH EXAMPLES\n.nf\n").expect(name);
        assert!(examples.starts_with(&format!("  {command}")), "{text}");
        let (examples, _) = examples.split_once(".fi").expect(name);
        let fits = |line: &str| line.chars().count() < 80;
        assert!(examples.lines().all(fits), "for a terminal: {examples}");
    }
    let train = page("cvae-gpu-train.1");
    for part in ["--latent-dim", "--adapter", "Ctrl-C", ".SH NOTES"] {
        assert!(train.contains(part), "no {part} in {train}");
    }
    assert!(!train.contains("--inject"));
    assert!(page("cvae-gpu-data-pack.1").contains("cvae-gpu data pack"));
}
