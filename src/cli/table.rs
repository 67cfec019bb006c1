//! CSV tables of images.

use std::borrow::Cow;

use cvae_gpu::model::Loss;
use cvae_gpu::train::eval::Terms;

use super::trained::Images;

/// A table of the images in `order`: their index, their label (empty for none), the columns `names`,
/// which `cells` fills, where classes have names their class, and where they are files their path below
/// the folder. Texts of columns begin with a comma.
pub fn csv(
    images: &Images,
    order: impl Iterator<Item = usize>,
    names: &str,
    cells: impl Fn(usize) -> String,
) -> String {
    let named = !images.classes.is_empty();
    let class = if named { ",class" } else { "" };
    let file = if images.names.is_some() { ",file" } else { "" };
    let mut text = format!("index,label{names}{class}{file}\n");
    for i in order {
        let label = images.label(i);
        let class = label.and_then(|label| images.classes.get(label as usize));
        let label = label.map_or_else(String::new, |label| label.to_string());
        text += &format!("{i},{label}{}", cells(i));
        if named {
            text += &format!(",{}", field(class.map_or("", String::as_str)));
        }
        if let Some(files) = &images.names {
            text += &format!(",{}", field(&files[i]));
        }
        text.push('\n');
    }
    text
}

/// The columns of `eval` and `score`: `elbo,reconstruction,kl` in nats and, with bounds, `iwae`.
pub fn terms(
    images: &Images,
    terms: &[Terms],
    bounds: Option<&[f32]>,
    loss: Loss,
    order: impl Iterator<Item = usize>,
) -> String {
    let more = if bounds.is_some() { ",iwae" } else { "" };
    csv(
        images,
        order,
        &format!(",elbo,reconstruction,kl{more}"),
        |i| {
            let (elbo, kl) = (terms[i].elbo(loss), terms[i].divergence(loss));
            let bound = bounds.map(|b| format!(",{:.6}", b[i])).unwrap_or_default();
            format!(",{elbo:.6},{:.6},{kl:.6}{bound}", terms[i].logpx_z)
        },
    )
}

/// A text as a CSV field, quoted where necessary.
fn field(text: &str) -> Cow<'_, str> {
    if text.contains([',', '"', '\n', '\r']) {
        return Cow::Owned(format!("\"{}\"", text.replace('"', "\"\"")));
    }
    Cow::Borrowed(text)
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn names_with_commas_and_quotes_stay_one_field() {
        for (text, wanted) in [
            ("a b", "a b"),
            ("a,b", "\"a,b\""),
            ("say \"a\"", "\"say \"\"a\"\"\""),
            ("a\nb", "\"a\nb\""),
        ] {
            assert_eq!(field(text), wanted);
        }
    }
}
