//! Mistakes planted in shaders, to prove that checks detect them; and mutants in which one product is
//! replaced by a sum.

use cvae_gpu::gpu::Gpu;
use cvae_gpu::ops::sources;
use cvae_gpu::plan::shader::Edits;
use naga::valid::{Capabilities, SubgroupOperationSet, ValidationFlags, Validator};

/// A replacement of text in a shader file.
pub struct Mistake {
    /// Path below `shaders/` without extension, such as `adam` or `common/conv`.
    pub file: String,
    /// The text to replace; it occurs exactly once.
    pub from: String,
    pub to: String,
}

impl Mistake {
    pub fn new(file: &str, from: &str, to: &str) -> Mistake {
        let [file, from, to] = [file, from, to].map(str::to_owned);
        Mistake { file, from, to }
    }

    /// The shader files with this mistake.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be planted: the text does not occur exactly once, or a module is no
    /// longer valid WGSL.
    pub fn edits(&self) -> Result<Edits, String> {
        let Mistake { file, from, to } = self;
        let modules = sources().into_iter();
        let modules: Vec<_> = modules
            .filter(|source| source.files().contains(&file.as_str()))
            .collect();
        if modules.is_empty() {
            return Err(format!("there is no shaders/{file}.wgsl"));
        }
        let text = text(file);
        let count = text.matches(from.as_str()).count();
        if count != 1 {
            return Err(format!(
                "`{from}` is {count} times in shaders/{file}.wgsl, not once"
            ));
        }
        let edits = Edits::from([(file.clone(), text.replacen(from, to, 1))]);
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::SUBGROUP);
        validator
            .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
            .subgroup_operations(SubgroupOperationSet::all());
        for module in modules {
            let text = module.module_with(&edits);
            let parsed =
                naga::front::wgsl::parse_str(&text).map_err(|e| e.emit_to_string(&text))?;
            let valid = validator.validate(&parsed);
            valid.map_err(|e| e.emit_to_string(&text))?;
        }
        Ok(edits)
    }

    /// The device with this mistake in its shaders.
    ///
    /// # Errors
    ///
    /// As of [`Mistake::edits`].
    pub fn plant(&self, gpu: &Gpu) -> Result<Gpu, String> {
        Ok(gpu.with_shaders(self.edits()?))
    }
}

fn text(file: &str) -> String {
    let path = format!("{}/shaders/{file}.wgsl", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Stems of all shader files, shared ones included.
pub fn files() -> Vec<&'static str> {
    let common = [
        "common",
        "common/buffers",
        "common/conv",
        "common/images",
        "common/philox",
        "common/reparam",
        "common/texels",
    ];
    let mut files: Vec<_> = sources()
        .into_iter()
        .map(|s| s.file())
        .chain(common)
        .collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// The mutants of a file in which one ` * ` outside comments is ` + `, each with its place: file, line
/// and column.
pub fn products_turned(file: &str) -> Vec<(String, Mistake)> {
    let text = text(file);
    let mut found = Vec::new();
    let mut start = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let code = line.find("//").unwrap_or(line.len());
        for (column, _) in line[..code].match_indices(" * ") {
            let at = start + column;
            let place = format!(
                "{file}.wgsl:{}:{}: {}",
                number + 1,
                column + 2,
                line.trim_end()
            );
            let turned = format!("{} + {}", &text[..at], &text[at + 3..]);
            let mistake = Mistake::new(file, &text, &turned);
            found.push((place, mistake));
        }
        start += line.len();
    }
    found
}
