//! Shader modules and their reflection.
//!
//! A module is the concatenation of `common.wgsl`, the shared files it needs, and its own file. naga
//! reads binding names, access, types and workgroup sizes from the WGSL, so Rust does not repeat them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use naga::valid::{Capabilities, GlobalUse, ValidationFlags, Validator};

use super::slot::Scalar;

/// A shader module: the concatenation of WGSL files.
pub struct Source {
    /// Stem of its own file, with a suffix if the file serves several modules.
    pub name: &'static str,
    /// Stem and text of each file in order; its own file is the last.
    files: &'static [(&'static str, &'static str)],
    /// Needs subgroup operations.
    pub subgroups: bool,
    /// Its kernels take less time than a CPU needs to wake its threads.
    pub light: bool,
    entries: OnceLock<Result<Vec<(String, Entry)>, String>>,
}

impl Source {
    /// A module of these files; its own file is the last.
    pub const fn new(name: &'static str, files: &'static [(&'static str, &'static str)]) -> Self {
        Source {
            name,
            files,
            subgroups: false,
            light: false,
            entries: OnceLock::new(),
        }
    }

    /// Marks the module as using subgroup operations.
    pub const fn with_subgroups(mut self) -> Self {
        self.subgroups = true;
        self
    }

    /// Marks the kernels as light.
    pub const fn light(mut self) -> Self {
        self.light = true;
        self
    }

    /// Stem of its own file.
    pub fn file(&self) -> &'static str {
        self.files.last().map_or("", |(stem, _)| stem)
    }

    /// Stems of its files in order; its own file is the last.
    pub fn files(&self) -> Vec<&'static str> {
        self.files.iter().map(|(stem, _)| *stem).collect()
    }

    /// The WGSL for wgpu.
    pub fn module(&self) -> String {
        self.module_with(&Edits::new())
    }

    /// The WGSL with the texts of `edits`.
    pub fn module_with(&self, edits: &Edits) -> String {
        let files = self.files.iter();
        let texts = files.map(|(stem, text)| edits.get(*stem).map_or(*text, String::as_str));
        texts.collect::<Vec<_>>().join("\n")
    }

    /// The WGSL for browsers and `tint`: with the `enable` directives that naga rejects.
    pub fn module_for_browsers(&self) -> String {
        let header = if self.subgroups {
            "enable subgroups;\n"
        } else {
            ""
        };
        format!("{header}{}", self.module())
    }

    /// The reflection of an entry point.
    ///
    /// # Errors
    ///
    /// The message of naga if the WGSL is not valid, or that the entry point is missing.
    pub fn reflect(&'static self, entry: &str) -> Result<&'static Entry, String> {
        let entries = self.entries.get_or_init(|| reflect_all(self));
        let found = entries.as_ref()?.iter().find(|(name, _)| name == entry);
        let missing = || format!("no entry point `{entry}` in shaders/{}.wgsl", self.name);
        found.map(|(_, found)| found).ok_or_else(missing)
    }

    /// Names of its entry points.
    ///
    /// # Errors
    ///
    /// The message of naga if the WGSL is not valid.
    pub fn entry_points(&'static self) -> Result<Vec<&'static str>, String> {
        let entries = self.entries.get_or_init(|| reflect_all(self)).as_ref()?;
        Ok(entries.iter().map(|(name, _)| name.as_str()).collect())
    }
}

/// Texts that replace shader files, by path below `shaders/` without extension, such as `adam` or
/// `common/conv`.
pub type Edits = BTreeMap<String, String>;

/// A binding of an entry point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// WGSL name.
    pub name: String,
    /// Binding number in group 0.
    pub number: u32,
    /// Element type.
    pub scalar: Scalar,
    /// Components per element: 1 for a scalar, 0 for a struct.
    pub width: u32,
    /// A texture instead of a buffer.
    pub texels: bool,
    /// Declared `read_write`.
    pub writable: bool,
    /// The entry point loads from it.
    pub reads: bool,
    /// The entry point stores to it.
    pub writes: bool,
}

impl Binding {
    /// Whether one declaration can serve both bindings.
    pub(super) fn same_view(&self, other: &Binding) -> bool {
        let view = |b: &Binding| (b.scalar, b.width, b.texels, b.writable);
        view(self) == view(other)
    }
}

/// The reflection of an entry point.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Invocations of a workgroup along x, y and z.
    pub workgroup: [u32; 3],
    /// Uses subgroup operations.
    pub subgroups: bool,
    /// Workgroup variables used, with their sizes in bytes. An entry point without any has no barriers.
    pub memory: Vec<(String, u32)>,
    /// Builtin parameters in order.
    pub parameters: Vec<naga::BuiltIn>,
    /// Bindings used, by binding number.
    pub bindings: Vec<Binding>,
    /// Names of the module's `override` constants without a default.
    pub overrides: Vec<String>,
}

impl Entry {
    /// Workgroup memory in bytes.
    pub fn memory_bytes(&self) -> u32 {
        self.memory.iter().map(|(_, bytes)| bytes).sum()
    }
}

/// A validator for compute shaders, with or without subgroup operations.
pub(super) fn validator(subgroups: bool) -> Validator {
    let capabilities = if subgroups {
        Capabilities::SUBGROUP
    } else {
        Capabilities::empty()
    };
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    validator
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all());
    validator
}

fn reflect_all(source: &Source) -> Result<Vec<(String, Entry)>, String> {
    let mut entries = Vec::new();
    let text = source.module();
    let named = |e: String| format!("shaders/{}.wgsl (after common.wgsl): {e}", source.name);
    let module = naga::front::wgsl::parse_str(&text).map_err(|e| named(e.emit_to_string(&text)))?;
    let info = validator(source.subgroups)
        .validate(&module)
        .map_err(|e| named(e.emit_to_string(&text)))?;
    for (index, point) in module.entry_points.iter().enumerate() {
        let usage = info.get_entry_point(index);
        let mut bindings: Vec<Binding> = module
            .global_variables
            .iter()
            .filter(|(handle, _)| !usage[*handle].is_empty())
            .filter_map(|(handle, variable)| bind(&module, variable, usage[handle]))
            .collect();
        bindings.sort_by_key(|b| b.number);
        let required = module.overrides.iter().filter(|(_, o)| o.init.is_none());
        let workgroup = module.global_variables.iter().filter(|(handle, variable)| {
            variable.space == naga::AddressSpace::WorkGroup && !usage[*handle].is_empty()
        });
        let memory = workgroup.filter_map(|(_, variable)| {
            let bytes = module.types[variable.ty].inner.size(module.to_ctx());
            Some((variable.name.clone()?, bytes))
        });
        let parameter = |argument: &naga::FunctionArgument| match argument.binding {
            Some(naga::Binding::BuiltIn(builtin)) => Some(builtin),
            _ => None,
        };
        let entry = Entry {
            workgroup: point.workgroup_size,
            subgroups: source.subgroups,
            memory: memory.collect(),
            parameters: point
                .function
                .arguments
                .iter()
                .filter_map(parameter)
                .collect(),
            bindings,
            overrides: required.filter_map(|(_, o)| o.name.clone()).collect(),
        };
        entries.push((point.name.clone(), entry));
    }
    Ok(entries)
}

fn bind(
    module: &naga::Module,
    variable: &naga::GlobalVariable,
    usage: GlobalUse,
) -> Option<Binding> {
    let image = match module.types[variable.ty].inner {
        naga::TypeInner::Image { class, .. } => Some(class),
        _ => None,
    };
    let writable = match (variable.space, image) {
        (naga::AddressSpace::Storage { access }, _) => access.contains(naga::StorageAccess::STORE),
        (naga::AddressSpace::Handle, Some(class)) => {
            matches!(class, naga::ImageClass::Storage { access, .. } if access.contains(naga::StorageAccess::STORE))
        }
        _ => return None,
    };
    Some(Binding {
        name: variable.name.clone()?,
        number: variable.binding?.binding,
        scalar: scalar_of(module, variable.ty),
        width: width_of(module, variable.ty),
        texels: image.is_some(),
        writable,
        reads: usage.contains(GlobalUse::READ),
        writes: usage.contains(GlobalUse::WRITE),
    })
}

/// Element type of a buffer; a struct (the step state) counts as integers.
fn scalar_of(module: &naga::Module, ty: naga::Handle<naga::Type>) -> Scalar {
    match &module.types[ty].inner {
        naga::TypeInner::Array { base, .. } => scalar_of(module, *base),
        naga::TypeInner::Image { .. } => Scalar::F32,
        naga::TypeInner::Scalar(s) | naga::TypeInner::Vector { scalar: s, .. }
            if s.kind == naga::ScalarKind::Float =>
        {
            Scalar::F32
        }
        _ => Scalar::U32,
    }
}

fn width_of(module: &naga::Module, ty: naga::Handle<naga::Type>) -> u32 {
    match module.types[ty].inner {
        naga::TypeInner::Array { base, .. } => width_of(module, base),
        naga::TypeInner::Vector { size, .. } => size as u32,
        naga::TypeInner::Scalar(_) => 1,
        _ => 0,
    }
}
