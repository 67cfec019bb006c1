//! The imports of every file of `src/`, read from its text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A file of `src/` by the path of its module, such as `ops::conv::thin`.
pub struct File {
    pub name: String,
    /// Its text without comments and unit tests.
    pub code: String,
    pub imports: BTreeSet<Import>,
}

/// The module that a file imports.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    pub name: String,
}

fn room(name: &str) -> &str {
    name.split("::").next().unwrap_or(name)
}

impl File {
    pub fn room(&self) -> &str {
        room(&self.name)
    }
}

impl Import {
    pub fn room(&self) -> &str {
        room(&self.name)
    }
}

/// All files, each with what it imports. `use` of the library by the command line counts too.
pub fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let texts: BTreeMap<String, String> = paths
        .iter()
        .filter(|path| !path.ends_with("tests.rs"))
        .map(|path| (module(&root, path), code(path)))
        .collect();
    let exports = exports(&texts);
    let file = |(name, code): (&String, &String)| {
        let paths = paths_in(code)
            .into_iter()
            .chain(children_in(name, code, &texts));
        let imports = paths.filter_map(|path| resolve(name, &path, &texts, &exports));
        File {
            name: name.clone(),
            code: code.clone(),
            imports: imports.map(|name| Import { name }).collect(),
        }
    };
    texts.iter().map(file).collect()
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|e| e == "rs") {
            paths.push(path);
        }
    }
}

/// `src/ops/conv/mod.rs` is `ops::conv`.
fn module(root: &Path, path: &Path) -> String {
    let path = path
        .strip_prefix(root)
        .expect("within src")
        .with_extension("");
    let parts = path.iter().map(|part| part.to_string_lossy());
    let parts: Vec<_> = parts.filter(|part| part != "mod").collect();
    parts.join("::")
}

fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a text");
    let text = text.split("#[cfg(test)]\n").next().unwrap_or_default();
    let lines = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths in a text: those of `use`, expanded, and those that start at `crate` or `super`. Re-exports
/// do not count.
fn paths_in(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = code;
    while let Some(at) = next_path(rest) {
        let (before, path) = rest.split_at(at);
        let exported = before.trim_end().ends_with("use")
            && before
                .rsplit('\n')
                .next()
                .is_some_and(|line| line.trim_start().starts_with("pub"));
        let end = if before.trim_end().ends_with("use") {
            path.find(';').unwrap_or(path.len())
        } else {
            path.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'))
                .unwrap_or(path.len())
        };
        if !exported {
            expand("", &path[..end], &mut paths);
        }
        rest = &path[end..];
    }
    paths
}

fn next_path(text: &str) -> Option<usize> {
    let of_use = text.match_indices("use ").filter_map(|(at, word)| {
        let starts = text[..at]
            .chars()
            .next_back()
            .is_none_or(|c| c.is_whitespace());
        starts.then_some(at + word.len())
    });
    let of_word = ["crate::", "super::"]
        .into_iter()
        .flat_map(|word| text.match_indices(word));
    of_use.chain(of_word.map(|(at, _)| at)).min()
}

/// `a::{b, c::d}` names `a::b` and `a::c::d`.
fn expand(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        let name = tree.split(" as ").next().unwrap_or(tree).trim();
        paths.push(format!("{prefix}{name}"));
        return;
    };
    let inner = &rest[..rest.rfind('}').unwrap_or(rest.len())];
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                let part = &inner[start..at];
                if !part.trim().is_empty() {
                    expand(&format!("{prefix}{}", head.trim()), part, paths);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Paths that begin with a module below this one, outside `use`.
fn children_in(name: &str, code: &str, texts: &BTreeMap<String, String>) -> Vec<String> {
    let below = format!("{name}::");
    let children = texts.keys().filter_map(|other| other.strip_prefix(&below));
    let named = |child: &&str| {
        let path = format!("{child}::");
        let mut places = code.match_indices(&path);
        places.any(|(at, _)| {
            let before = code[..at].chars().next_back();
            let line = code[..at].rsplit('\n').next().unwrap_or_default();
            let whole = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':');
            whole && !line.trim_start().starts_with("pub use")
        })
    };
    children.filter(named).map(str::to_owned).collect()
}

/// The sources of re-exported names: module and name → path.
fn exports(texts: &BTreeMap<String, String>) -> BTreeMap<(String, String), String> {
    let mut exports = BTreeMap::new();
    for (name, code) in texts {
        for (at, _) in code.match_indices("use ") {
            let line = code[..at].rsplit('\n').next().unwrap_or_default();
            if !line.trim_start().starts_with("pub") {
                continue;
            }
            let tree = &code[at + 4..][..code[at + 4..].find(';').unwrap_or(0)];
            let mut paths = Vec::new();
            expand("", tree, &mut paths);
            for path in paths {
                let last = path.rsplit("::").next().unwrap_or(&path).to_owned();
                exports.insert((name.clone(), last), path);
            }
        }
    }
    exports
}

/// The module that a path refers to; `None` outside the package.
fn resolve(
    from: &str,
    path: &str,
    texts: &BTreeMap<String, String>,
    exports: &BTreeMap<(String, String), String>,
) -> Option<String> {
    let mut parts: Vec<&str> = path.split("::").collect();
    let mut at: Vec<&str> = from.split("::").filter(|part| *part != "lib").collect();
    match parts[0] {
        "crate" | "cvae_gpu" => at.clear(),
        "self" => {}
        "super" => {
            while parts.first() == Some(&"super") {
                at.pop();
                parts.remove(0);
            }
            parts.insert(0, "super");
        }
        first if texts.contains_key(&format!("{from}::{first}")) => parts.insert(0, "self"),
        _ => return None,
    }
    for part in &parts[1..] {
        let within = at.join("::");
        let deeper = [within.as_str(), part].join("::");
        let deeper = deeper.trim_start_matches("::");
        if texts.contains_key(deeper) {
            at.push(part);
        } else if let Some(path) = exports.get(&(within.clone(), (*part).to_owned())) {
            return resolve(&within, path, texts, exports);
        } else {
            break;
        }
    }
    let module = at.join("::");
    texts.contains_key(&module).then_some(module)
}
