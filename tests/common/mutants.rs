//! Shader mutants in which one product is replaced by a sum.

use cvae_gpu::ops::sources;
use cvae_gpu::plan::shader::Mistake;

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
    let path = format!("{}/shaders/{file}.wgsl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
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
            let mistake = Mistake {
                file: file.to_owned(),
                from: text.clone(),
                to: format!("{} + {}", &text[..at], &text[at + 3..]),
            };
            found.push((place, mistake));
        }
        start += line.len();
    }
    found
}
