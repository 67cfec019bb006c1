//! Layout of pictures. Images are those of a model.

use cvae_gpu::model::Model;
use cvae_gpu::render::{self, GridStyle, RenderError, Timing};

/// Images on a sheet are enlarged by the largest whole factor up to this many pixels.
const SIDE: usize = 64;
/// White pixels between them.
const GAP: usize = 4;
/// Most images in a row of a sheet that is not square.
const ROW: usize = 16;

/// The PNG of images on a nearly square sheet.
pub fn square(images: &[f32], model: &Model) -> Result<Vec<u8>, RenderError> {
    let count = images.len() / values(model);
    let side = count.isqrt();
    sheet(images, model, side + usize::from(side * side < count))
}

/// Values of an image.
fn values(model: &Model) -> usize {
    model.image.iter().product::<usize>().max(1)
}

/// The PNG of images `[N, H, W, C]` row by row.
fn sheet(images: &[f32], model: &Model, columns: usize) -> Result<Vec<u8>, RenderError> {
    let style = style(model, SIDE, GAP);
    render::png_bytes(&render::grid(images, model.image, columns, style)?)
}

/// Images enlarged by the largest whole factor up to `side` pixels, with white pixels between them.
fn style(model: &Model, side: usize, gap: usize) -> GridStyle {
    let [height, width, _] = model.image;
    let largest = height.max(width).max(1);
    GridStyle {
        cell: largest * (side / largest).max(1) + gap,
        gap,
        stretch: false,
        range: model.range(),
    }
}

/// The PNG of pairs of images, each of `above` over that of `below`.
pub fn pairs(above: &[f32], below: &[f32], model: &Model) -> Result<Vec<u8>, RenderError> {
    let (values, [_, white]) = (values(model), model.range());
    let count = above.len() / values;
    let columns = count.clamp(1, ROW);
    let mut images = Vec::new();
    for row in (0..count).step_by(columns) {
        let range = values * row..values * count.min(row + columns);
        for half in [above, below] {
            images.extend_from_slice(&half[range.clone()]);
            // The end of a partial row stays white.
            images.resize(images.len().next_multiple_of(values * columns), white);
        }
    }
    sheet(&images, model, columns)
}

/// The PNG of images in one row, or in several where they are many.
pub fn strip(images: &[f32], model: &Model, count: usize) -> Result<Vec<u8>, RenderError> {
    sheet(images, model, count.clamp(1, ROW))
}

/// The GIF of a sequence of images, enlarged; the last frame stays longer.
pub fn animation(images: &[f32], model: &Model) -> Result<Vec<u8>, RenderError> {
    const FRAME: usize = 256;
    let style = style(model, FRAME, 0);
    let frames = images.chunks_exact(values(model));
    let frames = frames.map(|image| render::grid(image, model.image, 1, style));
    let frames = frames.collect::<Result<Vec<_>, _>>()?;
    let mut gif = Vec::new();
    let timing = Timing {
        each: 10,
        last: 100,
    };
    render::animate(frames.into_iter().map(Ok), timing, &mut gif)?;
    Ok(gif)
}
