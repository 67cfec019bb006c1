//! Tips for words that lack their flag: `train mnist` means `train --data mnist`.

use std::ffi::OsString;
use std::path::Path;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, Error};
use cvae_gpu::data::known;
use cvae_gpu::run;

/// The flags that take most words of a command, the likeliest first.
const USUAL: [&str; 6] = ["model", "from", "data", "print", "out", "adapter"];

/// Those of them that do not take what is there.
const OTHER: [&str; 2] = ["out", "adapter"];

/// The error, with a tip where an argument is a word without its flag.
pub fn explained(mut error: Error, program: &Command, args: &[OsString]) -> Error {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) if !word.starts_with('-') => Some(word.clone()),
        _ => None,
    };
    let args: Vec<String> = args
        .iter()
        .map(|arg| arg.to_string_lossy().into())
        .collect();
    let tip = match error.kind() {
        ErrorKind::InvalidSubcommand => {
            word(ContextKind::InvalidSubcommand).and_then(|word| as_command(&word, &args))
        }
        ErrorKind::UnknownArgument => word(ContextKind::InvalidArg).and_then(|word| {
            let command = called(program, &args);
            one_source(command, &word, &args).or_else(|| as_flag(command, &word, &args))
        }),
        _ => None,
    };
    if let Some(tip) = tip {
        error.remove(ContextKind::SuggestedSubcommand);
        let tips = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
        error.insert(ContextKind::Suggested, tips);
    }
    error
}

/// The command that the arguments call.
fn called<'c>(program: &'c Command, args: &[String]) -> &'c Command {
    let mut command = program;
    for arg in args.iter().skip(1) {
        command = command.find_subcommand(arg).unwrap_or(command);
    }
    command
}

/// The tip for a word in place of a command.
fn as_command(word: &str, args: &[String]) -> Option<String> {
    let shown = shown(word);
    let is_set = known::by_name(word).is_some();
    let path = Path::new(word);
    if !is_set && !path.exists() {
        return None;
    }
    let is_model = is_run(path) || ends(path) == "safetensors";
    Some(match args.iter().any(|arg| arg == "data") {
        true => format!("try 'cvae-gpu data info {shown}'"),
        false if is_model && !is_set => format!("try 'cvae-gpu eval --model {shown}'"),
        false => format!("try 'cvae-gpu train --data {shown}'"),
    })
}

/// The tip for the second of several files, as shells make them of `photos/*`.
fn one_source(command: &Command, word: &str, args: &[String]) -> Option<String> {
    let folder = Path::new(word).parent()?;
    let is_next = |other: &&String| *other != word && Path::new(other).parent() == Some(folder);
    let takes_source = |arg: &Arg| ["data", "source"].contains(&arg.get_id().as_str());
    let other = args
        .iter()
        .filter(is_next)
        .find(|other| Path::new(other).is_file())?;
    let is_kind = ends(Path::new(other)) == ends(Path::new(word));
    if !is_kind || !Path::new(word).is_file() || !command.get_arguments().any(takes_source) {
        return None;
    }
    let folder = match folder.to_str()? {
        "" => ".",
        folder => folder,
    };
    Some(format!(
        "images are one source: give the folder, {}",
        shown(folder)
    ))
}

/// The tip for a word that a flag of the command takes.
fn as_flag(command: &Command, word: &str, args: &[String]) -> Option<String> {
    let flag = |arg: &Arg| arg.get_long().map(|long| format!("--{long}"));
    let is_given = |arg: &&Arg| {
        let is_once = !matches!(arg.get_action(), ArgAction::Append);
        let Some(flag) = flag(arg).filter(|_| is_once) else {
            return false;
        };
        let starts = format!("{flag}=");
        args.iter()
            .any(|arg| *arg == flag || arg.starts_with(&starts))
    };
    let free = || command.get_arguments().filter(|arg| !is_given(arg));
    let long = |name: &str| free().find(|arg| arg.get_long() == Some(name));
    let names = |arg: &&Arg| {
        let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        let values = arg.get_possible_values();
        takes && values.iter().any(|value| value.get_name() == word)
    };
    let path = Path::new(word);
    let likely = likely(word).iter().find_map(|name| long(name));
    let is_set = known::by_name(word).is_some();
    let arg = match likely {
        Some(arg) if is_set || path.exists() => arg,
        likely => match free().find(names).or(likely) {
            Some(arg) => arg,
            None if is_number(word) => return None,
            None => {
                let is_free = |name: &&&str| !(path.exists() && OTHER.contains(*name));
                USUAL.iter().filter(is_free).find_map(|name| long(name))?
            }
        },
    };
    let short = arg.get_short().filter(|short| *short == 'n');
    let flag = short
        .map(|short| format!("-{short}"))
        .or_else(|| flag(arg))?;
    Some(format!("try '{flag} {}'", shown(word)))
}

/// The flags that take such a word, the likeliest first.
fn likely(word: &str) -> &'static [&'static str] {
    let path = Path::new(word);
    let is_there = path.exists();
    match ends(path).as_str() {
        _ if known::by_name(word).is_some() => &["data"],
        _ if is_number(word) => &["count", "epochs"],
        _ if is_run(path) => &["model", "resume", "init"],
        _ if path.is_dir() => &["data", "out"],
        "safetensors" => &["case", "model", "from", "init", "out"],
        "toml" => &["arch"],
        "csv" if is_there => &["labels"],
        "json" if is_there => &["compare"],
        "npy" if is_there => &["z", "data", "labels"],
        "pt" | "pth" | "onnx" if is_there => &["from"],
        "png" | "gif" | "csv" | "npy" | "onnx" | "gz" if !is_there => &["out", "npy"],
        _ => &[],
    }
}

/// Whether a folder is that of a run.
fn is_run(path: &Path) -> bool {
    path.join(run::CONFIG).exists()
}

fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

/// The extension in lower case.
fn ends(path: &Path) -> String {
    let extension = path.extension().unwrap_or_default();
    extension.to_string_lossy().to_lowercase()
}

/// A word as a shell takes it.
fn shown(word: &str) -> String {
    match word.contains(char::is_whitespace) {
        true => format!("\"{word}\""),
        false => word.to_owned(),
    }
}
