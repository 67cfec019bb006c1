//! Sums over rows in a fixed order.

use super::kernel;
use crate::plan::tensors::Tensors;
use crate::plan::{Caps, Plan, Role, SlotId, Step, groups};

/// Invocations that add the rows of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// One for each column, or quad of columns.
    One,
    /// Those of a workgroup, which a few columns share.
    Workgroup,
}

/// Invocations of a workgroup, as `shaders/common.wgsl` has them.
const GROUP_SIZE: usize = 128;

/// How the columns of a sum are read and dealt out.
struct Columns {
    /// Variables of the shader: what is summed and the result.
    names: (&'static str, &'static str),
    entry: &'static str,
    /// Columns or quads of columns.
    count: usize,
    /// How many of them a workgroup has.
    span: usize,
}

fn columns_of(caps: &Caps, columns: usize, by: By) -> Columns {
    let quads = columns.is_multiple_of(4);
    let (names, entry) = match (by, quads) {
        (By::Workgroup, true) if caps.texels => (("texels", "y4"), "column_sums_texels_deep"),
        (By::Workgroup, true) => (("x4", "y4"), "column_sums4_deep"),
        (By::Workgroup, false) => (("x", "y"), "column_sums_deep"),
        (By::One, true) => (("x4", "y4"), "column_sums4"),
        (By::One, false) => (("x", "y"), "column_sums"),
    };
    let count = if quads { columns / 4 } else { columns };
    // Neighbouring columns lie in one line of a cache, which holds four quads, and often two of them
    // at once.
    let most = if caps.software { 4 } else { 8 };
    let spans = [8, 4, 2, 1].into_iter();
    let span = spans
        .filter(|&s| s <= most && count.is_multiple_of(s))
        .max();
    Columns {
        names,
        entry,
        count,
        span: match by {
            By::Workgroup => span.unwrap_or(1),
            By::One => 64,
        },
    }
}

/// Appends `y [ranges, columns]`, each row the sum of one contiguous range of the rows of
/// `x [rows, columns]`. Slots may have any shape of that many elements.
pub fn column_sums(
    plan: &mut Plan,
    label: String,
    (x, rows): (SlotId, usize),
    ranges: usize,
    by: By,
    y: SlotId,
) {
    let columns = plan[x].len() / rows;
    let dealt = columns_of(&plan.caps, columns, by);
    let (from, to) = dealt.names;
    let x = if from == "texels" { plan.mirror(x) } else { x };
    let twin = move |t: &Tensors| {
        let x = t.floats(from);
        let mut y = t.floats_mut(to);
        y.fill(0.0);
        let size = rows.div_ceil(ranges);
        for (r, row) in x.chunks(columns).take(rows).enumerate() {
            let sum = &mut y[r / size * columns..][..columns];
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
    };
    let constants = [
        ("ROWS", rows as f64),
        ("COLUMNS", columns as f64),
        ("RANGES", ranges as f64),
        ("SPAN", dealt.span as f64),
    ];
    plan.push(Step {
        label,
        kernel: kernel("reduce", dealt.entry, &constants, twin),
        bindings: vec![(from, x), (to, y)],
        grid: [groups(dealt.count, dealt.span), groups(ranges, 1), 1],
        flops: (rows * columns) as u64,
    });
}

/// Appends the sum of all rows of `x` into `y`. A CPU adds 64 one by one, since to meet costs it more.
/// A GPU waits for memory in each round, so that an invocation there adds 8 at most; where a workgroup
/// would need more than 32 rounds, there are several, and what they find is added in another step.
pub fn sum_rows(plan: &mut Plan, label: &str, x: SlotId, rows: usize, y: SlotId) {
    let software = plan.caps.software;
    if rows <= if software { 64 } else { 8 } {
        return column_sums(plan, label.into(), (x, rows), 1, By::One, y);
    }
    let columns = plan[x].len() / rows;
    // Of one column four rows make a quad, and a sum of four columns is all but its sum.
    if columns == 1 && rows.is_multiple_of(4) {
        let quads = rows / 4;
        let (from, quads) = if software || quads <= 32 * GROUP_SIZE {
            (x, quads)
        } else {
            let partials = ranges_of(plan, label, (x, quads), y);
            (partials, plan[partials].len() / 4)
        };
        return total(plan, label.into(), (from, quads), y);
    }
    let at_once = GROUP_SIZE / columns_of(&plan.caps, columns, By::Workgroup).span;
    if software || rows <= 32 * at_once {
        return column_sums(plan, label.into(), (x, rows), 1, By::Workgroup, y);
    }
    let partials = ranges_of(plan, label, (x, rows), y);
    let ranges = plan[partials].len() / columns;
    column_sums(plan, label.into(), (partials, ranges), 1, By::Workgroup, y);
}

/// Appends the first of two steps to `y`: sums of about as many ranges as there are rows in each, so that
/// neither step is long. Gives their slot, `[ranges, columns]`.
fn ranges_of(plan: &mut Plan, label: &str, (x, rows): (SlotId, usize), y: SlotId) -> SlotId {
    let ranges = rows.isqrt().min(1024);
    let columns = plan[x].len() / rows;
    let name = format!("{}.partials", plan[y].name);
    let partials = plan.slot(name, &[ranges, columns], Role::Activation);
    let label = format!("{label} (ranges)");
    column_sums(plan, label, (x, rows), ranges, By::Workgroup, partials);
    partials
}

/// Appends `y [1]`, the sum of all values of `x [rows, 4]`.
fn total(plan: &mut Plan, label: String, (x, rows): (SlotId, usize), y: SlotId) {
    let twin = |t: &Tensors| t.floats_mut("y")[0] = t.floats("x4").iter().sum();
    let constants = [
        ("ROWS", rows as f64),
        ("COLUMNS", 4.0),
        ("RANGES", 1.0),
        ("SPAN", 1.0),
    ];
    plan.push(Step {
        label,
        kernel: kernel("reduce", "total_deep", &constants, twin),
        bindings: vec![("x4", x), ("y", y)],
        grid: [1; 3],
        flops: 4 * rows as u64,
    });
}
