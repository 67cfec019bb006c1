//! The linker: one shader for the steps of a bundle ([`Plan::bundles`](super::Plan::bundles)).
//!
//! The modules are concatenated with three changes. `override` constants become `const`. Names get a
//! per-part prefix; bindings and workgroup variables of the same name are shared. Entry points become
//! functions, and a new `main` gives the first workgroups to the first part, the next to the second.

use std::collections::{HashMap, HashSet};

use naga::BuiltIn;

use super::part::Part;
use super::shader::{Binding, Edits};
use super::{Caps, Kernel, PlanError, SlotId, Step};

/// Most storage textures per dispatch on every WebGPU adapter.
const MOST_TEXTURES: usize = 4;
/// Workgroups in a row of the grid; an axis holds at most 65 535.
const ROW: u32 = 32_768;

/// The shader of a dispatch.
pub enum Shader<'p> {
    /// A single kernel.
    Kernel(&'p Kernel),
    /// The WGSL of a linked module; its entry point is `main`.
    Linked(String),
}

/// A dispatch of one or more steps.
pub struct Dispatch<'p> {
    /// Labels of the steps.
    pub label: String,
    /// The shader.
    pub shader: Shader<'p>,
    /// Bindings and their slots.
    pub bindings: Vec<(Binding, SlotId)>,
    /// Workgroups along x, y and z.
    pub grid: [u32; 3],
    /// Floating-point operations; a multiply-add counts as two.
    pub flops: u64,
}

/// Workgroup size of the linked shader: the largest of its parts.
fn workgroup(parts: &[Part]) -> u32 {
    let sizes = parts.iter().map(|part| part.entry.workgroup[0]);
    sizes.max().unwrap_or(1)
}

/// Whether these parts fit into one dispatch.
pub(super) fn fits(parts: &[Part], caps: &Caps) -> bool {
    let size = workgroup(parts);
    let fits_workgroup = |part: &Part| {
        let [x, y, z] = part.entry.workgroup;
        // Small workgroups without barriers can share a large one.
        let size_fits = x == size || size.is_multiple_of(x) && part.entry.memory.is_empty();
        let mut parameters = part.entry.parameters.iter();
        let known = parameters.all(|p| argument(*p, "", "", 0).is_some());
        // Linking would change which invocations form a subgroup.
        known && size_fits && y * z == 1 && !part.entry.subgroups
    };
    let bytes: u32 = memory(parts).values().map(|(_, bytes)| bytes).sum();
    let shared = shared(parts);
    let textures = shared.iter().filter(|(binding, _)| binding.texels).count();
    parts.iter().all(fits_workgroup)
        && bytes <= caps.workgroup_memory
        && textures <= MOST_TEXTURES
        && shared.len() - textures <= caps.max_buffers
}

/// Workgroup variables by name: the part with the largest one, and its size in bytes.
fn memory<'p>(parts: &[Part<'p>]) -> HashMap<&'p str, (usize, u32)> {
    let mut memory = HashMap::new();
    for (number, part) in parts.iter().enumerate() {
        for (name, bytes) in &part.entry.memory {
            let most = memory.entry(name.as_str()).or_insert((number, *bytes));
            if most.1 < *bytes {
                *most = (number, *bytes);
            }
        }
    }
    memory
}

/// The bindings of all parts; a slot occurs once per element type and access.
fn shared(parts: &[Part]) -> Vec<(&'static Binding, SlotId)> {
    let mut shared: Vec<(&'static Binding, SlotId)> = Vec::new();
    for (binding, slot) in parts.iter().flat_map(Part::bindings) {
        if !shared
            .iter()
            .any(|(b, s)| *s == slot && b.same_view(binding))
        {
            shared.push((binding, slot));
        }
    }
    shared
}

/// The dispatch of these steps. `edits` apply to linked modules only.
///
/// # Errors
///
/// [`PlanError::Step`] if a step and its shader disagree.
pub fn dispatch<'p>(steps: &[&'p Step], edits: &Edits) -> Result<Dispatch<'p>, PlanError> {
    let parts: Vec<Part> = steps
        .iter()
        .map(|step| Part::of(step))
        .collect::<Result<_, _>>()?;
    let labels: Vec<&str> = steps.iter().map(|step| step.label.as_str()).collect();
    let (shader, bindings, grid) = match parts[..] {
        [part] => {
            let bindings = part
                .bindings()
                .map(|(binding, slot)| (binding.clone(), slot));
            (
                Shader::Kernel(&part.step.kernel),
                bindings.collect(),
                part.step.grid,
            )
        }
        _ => link(&parts, edits),
    };
    Ok(Dispatch {
        label: labels.join(" + "),
        shader,
        bindings,
        grid,
        flops: steps.iter().map(|step| step.flops).sum(),
    })
}

type Linked<'p> = (Shader<'p>, Vec<(Binding, SlotId)>, [u32; 3]);

fn link<'p>(parts: &[Part<'p>], edits: &Edits) -> Linked<'p> {
    let numbered = |(number, (binding, slot)): (u32, (&Binding, SlotId))| {
        (
            Binding {
                number,
                ..binding.clone()
            },
            slot,
        )
    };
    let bindings: Vec<_> = (0..).zip(shared(parts)).map(numbered).collect();
    let mut linker = Linker {
        text: String::new(),
        memory: memory(parts),
        declared: HashSet::new(),
        unused: bindings.len() as u32,
    };
    let (size, mut groups) = (workgroup(parts), 0);
    let mut calls = String::new();
    for (number, part) in parts.iter().enumerate() {
        let prefix = format!("s{number}_");
        let shared_number = |(binding, slot): (&'static Binding, SlotId)| {
            let same = bindings
                .iter()
                .find(|(b, s)| *s == slot && b.same_view(binding));
            same.map(|(b, _)| (binding.name.as_str(), b.number))
        };
        let numbers = part.bindings().filter_map(shared_number).collect();
        linker.add((number, part.step), &prefix, &numbers, edits);
        let (call, part_groups) = call(part, &prefix, size);
        calls.push_str(&call);
        groups += part_groups;
    }
    let text = format!(
        "{}
fn place_in(at: u32, grid: vec3<u32>) -> vec3<u32> {{
    return vec3(at % grid.x, at / grid.x % grid.y, at / (grid.x * grid.y));
}}

@compute @workgroup_size({size})
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) lane: u32) {{
    var at = id.y * {ROW}u + id.x;{calls}
}}
",
        linker.text
    );
    (
        Shader::Linked(text),
        bindings,
        [groups.min(ROW), groups.div_ceil(ROW), 1],
    )
}

/// The part's branch in `main`, and its number of workgroups.
fn call(part: &Part, prefix: &str, size: u32) -> (String, u32) {
    let own = part.entry.workgroup[0];
    let per_group = size / own;
    let all: u32 = part.step.grid.iter().product();
    let groups = all.div_ceil(per_group);
    let [x, y, z] = part.step.grid;
    let grid = format!("vec3({x}u, {y}u, {z}u)");
    let (at, lane) = match per_group {
        1 => ("at".to_owned(), "lane".to_owned()),
        _ => (
            format!("at * {per_group}u + lane / {own}u"),
            format!("lane % {own}u"),
        ),
    };
    let parameters = part.entry.parameters.iter();
    let arguments: Vec<String> = parameters
        .filter_map(|p| argument(*p, &grid, &lane, own))
        .collect();
    let function = format!("{prefix}{}", part.step.kernel.entry);
    let arguments = arguments.join(", ");
    let text = format!(
        "
    if at < {groups}u {{ // {}
        let own = {at};
        if own < {all}u {{
            let group = place_in(own, {grid});
            {function}({arguments});
        }}
        return;
    }}
    at -= {groups}u;",
        part.step.label
    );
    (text, groups)
}

/// The argument for a builtin parameter; `None` if linked shaders do not support the builtin.
fn argument(builtin: BuiltIn, grid: &str, lane: &str, size: u32) -> Option<String> {
    Some(match builtin {
        BuiltIn::WorkGroupId => "group".to_owned(),
        BuiltIn::NumWorkGroups => grid.to_owned(),
        BuiltIn::LocalInvocationIndex => lane.to_owned(),
        BuiltIn::GlobalInvocationId => {
            format!("vec3(group.x * {size}u + {lane}, group.y, group.z)")
        }
        _ => return None,
    })
}

struct Linker<'p> {
    text: String,
    /// The result of [`memory`]: which part declares each workgroup variable.
    memory: HashMap<&'p str, (usize, u32)>,
    /// Names of shared variables declared so far.
    declared: HashSet<String>,
    /// Next binding number for a declared but unused buffer.
    unused: u32,
}

impl Linker<'_> {
    /// Appends the module of a step; `numbers` maps the buffers it uses to binding numbers. Parts with
    /// the same binding number share the buffer of the first.
    fn add(
        &mut self,
        (part, step): (usize, &Step),
        prefix: &str,
        numbers: &HashMap<&str, u32>,
        edits: &Edits,
    ) {
        let text = step.kernel.source.module_with(edits);
        let items = items(&text);
        let mut names = HashMap::new();
        for item in &items {
            let Some((_, name)) = item.declares() else {
                continue;
            };
            let buffer = numbers.get(name).map(|number| format!("buffer_{number}"));
            let memory = || item.is_memory().then(|| format!("shared_{name}"));
            let shared = buffer.or_else(memory);
            names.insert(name, shared.unwrap_or_else(|| format!("{prefix}{name}")));
        }
        self.text += &format!("\n// {prefix} {}: {:?}\n", step.label, step.kernel);
        for item in &items {
            self.item(item, (part, &step.kernel), numbers, &names);
        }
    }

    fn item(
        &mut self,
        item: &Item,
        (part, kernel): (usize, &Kernel),
        numbers: &HashMap<&str, u32>,
        names: &HashMap<&str, String>,
    ) {
        self.text += &item.before();
        let renamed = item.renamed(names);
        match item.declares() {
            Some(("override", name)) => {
                let value = kernel.constants.iter().find(|(n, _)| *n == name);
                let declared = renamed.trim_start_matches("override").trim_end_matches(';');
                let (head, default) = declared.split_once('=').unwrap_or((declared, ""));
                let value = match value {
                    Some((_, value)) if head.trim_end().ends_with("bool") => {
                        (*value != 0.0).to_string()
                    }
                    Some((_, value)) => value.to_string(),
                    None => default.trim().to_owned(),
                };
                self.text += &format!("const{} = {value};", head.trim_end());
            }
            Some(("var", name)) if item.is_bound() => {
                let number = numbers.get(name).copied().unwrap_or_else(|| {
                    self.unused += 1;
                    self.unused - 1
                });
                // An earlier part may have declared it.
                if self.declared.insert(names[name].clone()) {
                    self.text += &format!("@group(0) @binding({number}) {renamed}");
                }
            }
            Some(("var", name)) if item.is_memory() => {
                // If no part uses it, the first part declares it.
                let mine = self.memory.get(name).is_none_or(|(most, _)| *most == part);
                if mine && self.declared.insert(names[name].clone()) {
                    self.text += &renamed;
                }
            }
            _ => self.text += &renamed,
        }
    }
}

/// A module-scope declaration with the comments before it.
struct Item<'t> {
    tokens: Vec<&'t str>,
}

const DECLARATIONS: [&str; 6] = ["alias", "const", "fn", "override", "struct", "var"];

/// Splits a module into its declarations.
fn items(text: &str) -> Vec<Item<'_>> {
    let (mut items, mut tokens, mut depth) = (Vec::new(), Vec::new(), 0);
    for token in tokenize(text) {
        tokens.push(token);
        match token {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 && (token == "}" || token == ";") {
            items.push(Item {
                tokens: std::mem::take(&mut tokens),
            });
        }
    }
    items.push(Item { tokens });
    items
}

/// Splits WGSL into words, numbers, comments and single other characters.
fn tokenize(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let end = if rest.starts_with("//") {
            rest.find('\n')
        } else if is_word(first) {
            rest.find(|c| !is_word(c))
        } else {
            Some(first.len_utf8())
        };
        let (token, after) = rest.split_at(end.unwrap_or(rest.len()));
        tokens.push(token);
        rest = after;
    }
    tokens
}

impl<'t> Item<'t> {
    /// Index of the declaring keyword, after comments and attributes.
    fn start(&self) -> usize {
        let found = self.tokens.iter().position(|t| DECLARATIONS.contains(t));
        found.unwrap_or(self.tokens.len())
    }

    /// Keyword and name of the declaration.
    fn declares(&self) -> Option<(&'t str, &'t str)> {
        let (&kind, after) = self.tokens[self.start()..].split_first()?;
        let mut after = after.iter().copied();
        // `var<storage, read> name`
        if after.clone().next() == Some("<") {
            after.find(|t| *t == ">");
        }
        let name = after.find(|t| t.starts_with(|c: char| c.is_ascii_alphabetic()))?;
        Some((kind, name))
    }

    /// Whether it declares a buffer or a texture.
    fn is_bound(&self) -> bool {
        self.tokens[..self.start()].contains(&"binding")
    }

    /// Whether it declares a workgroup variable.
    fn is_memory(&self) -> bool {
        self.tokens[self.start()..].starts_with(&["var", "<", "workgroup", ">"])
    }

    /// The comments before the declaration.
    fn before(&self) -> String {
        let kept = |t: &&&str| t.starts_with("//") || t.trim().is_empty();
        self.tokens[..self.start()]
            .iter()
            .filter(kept)
            .copied()
            .collect()
    }

    /// The declaration with new names and without attributes.
    fn renamed(&self, names: &HashMap<&str, String>) -> String {
        let declaration = &self.tokens[self.start()..];
        let is_struct = declaration.first() == Some(&"struct");
        let mut text = String::new();
        let mut before = "";
        let mut tokens = declaration.iter().enumerate();
        while let Some((i, &token)) = tokens.next() {
            if token == "@" {
                tokens.find(|(_, t)| **t == ")");
                continue;
            }
            let next = declaration[i + 1..].iter().find(|t| !t.trim().is_empty());
            let member = before == "." || is_struct && next == Some(&":");
            match names.get(token) {
                Some(name) if !member => text.push_str(name),
                _ => text.push_str(token),
            }
            before = token;
        }
        text
    }
}
