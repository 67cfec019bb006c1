//! CSV tables of images.

use std::borrow::Cow;

use cvae_gpu::model::Loss;
use cvae_gpu::train::eval::Terms;

use super::trained::Images;

/// The per-image table of `eval` and `score`: lines `index,label,elbo,reconstruction,kl` of the images
/// in `order`, in nats. With bounds, `iwae` follows, and with names of classes, `class`. The label of
/// an unlabelled image is empty.
pub fn csv(
    images: &Images,
    terms: &[Terms],
    bounds: Option<&[f32]>,
    loss: Loss,
    order: impl Iterator<Item = usize>,
) -> String {
    let more = if bounds.is_some() { ",iwae" } else { "" };
    let mut text = format!(
        "index,label,elbo,reconstruction,kl{more}{}\n",
        header(images)
    );
    for i in order {
        let label = label(images, i);
        let (elbo, kl) = (terms[i].elbo(loss), terms[i].divergence(loss));
        let bound = bounds.map(|b| format!(",{:.6}", b[i])).unwrap_or_default();
        let reconstruction = terms[i].logpx_z;
        let class = class(images, i);
        text += &format!("{i},{label},{elbo:.6},{reconstruction:.6},{kl:.6}{bound}{class}\n");
    }
    text
}

/// The label of an image; empty for none.
pub fn label(images: &Images, image: usize) -> String {
    let label = images.label(image);
    label.map_or_else(String::new, |label| label.to_string())
}

/// The header of the last column, if classes have names.
pub fn header(images: &Images) -> &'static str {
    match images.classes[..] {
        [] => "",
        _ => ",class",
    }
}

/// The last column of an image: the name of its class, if classes have names.
pub fn class(images: &Images, image: usize) -> String {
    if images.classes.is_empty() {
        return String::new();
    }
    let label = images.label(image);
    let name = label.and_then(|label| images.classes.get(label as usize));
    format!(",{}", field(name.map_or("", String::as_str)))
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
