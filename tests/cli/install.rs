//! Files that packages install with the program: completions and manual pages.

use std::fs;
use std::io::ErrorKind;
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
    for (line, expected) in [
        ("cvae-gpu recon", "reconstruct"),
        ("cvae-gpu train --latent", "--latent-dim"),
        ("cvae-gpu export --format o", "onnx"),
    ] {
        // The arguments of bash: the command, the word to complete, and the word before.
        let call = "source ./completions; COMP_WORDS=($1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); \
                    _cvae__gpu cvae-gpu \"${COMP_WORDS[COMP_CWORD]}\" \
                    \"${COMP_WORDS[COMP_CWORD - 1]}\"; echo \"${COMPREPLY[@]}\"";
        let mut bash = Command::new("bash");
        bash.args(["-c", call, "bash", line]);
        let output = match bash.current_dir(folder.path()).output() {
            Err(e) if e.kind() == ErrorKind::NotFound && cfg!(windows) => return,
            output => output.expect("bash"),
        };
        let found = String::from_utf8_lossy(&output.stdout);
        assert_eq!(found.trim_end(), expected, "{line}: {output:?}");
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
