//! Sums over rows in a fixed order.

use super::kernel;
use crate::plan::cpu::Tensors;
use crate::plan::{Plan, Role, SlotId, Step, groups};

/// How the rows of a sum are dealt out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// So many sums of one contiguous range of rows each.
    Groups(usize),
    /// One sum, over all invocations of a workgroup.
    Workgroup,
}

/// Appends `y [groups, columns]`, each row the sum of one contiguous range of the rows of
/// `x [rows, columns]`. Slots may have any shape of that many elements.
pub fn column_sums(
    plan: &mut Plan,
    label: String,
    x: SlotId,
    rows: usize,
    parts: Parts,
    y: SlotId,
) {
    let columns = plan[x].len() / rows;
    let count = match parts {
        Parts::Groups(count) => count,
        Parts::Workgroup => 1,
    };
    let by_four = columns.is_multiple_of(4);
    let deep = parts == Parts::Workgroup;
    let (entry, from, to, width) = match (deep, by_four) {
        (true, true) if plan.caps.texels => {
            ("column_sums_texels_deep", "texels", "y4", columns / 4)
        }
        (true, _) => ("column_sums_deep", "x", "y", columns),
        (false, true) => ("column_sums4", "x4", "y4", columns / 4),
        (false, false) => ("column_sums", "x", "y", columns),
    };
    let x = if from == "texels" { plan.mirror(x) } else { x };
    // A line of a cache holds four quads.
    let span = [4, 2, 1]
        .into_iter()
        .find(|&s| width.is_multiple_of(s))
        .unwrap_or(1);
    let twin = move |t: &Tensors| {
        let x = t.floats(from);
        let mut y = t.floats_mut(to);
        y.fill(0.0);
        let size = rows.div_ceil(count);
        for (r, row) in x.chunks(columns).take(rows).enumerate() {
            let sum = &mut y[r / size * columns..][..columns];
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
    };
    let constants = [
        ("ROWS", rows as f64),
        ("COLUMNS", columns as f64),
        ("GROUPS", count as f64),
        ("SPAN", span as f64),
    ];
    let size = if deep { span } else { 64 };
    plan.push(Step {
        label,
        kernel: kernel("reduce", entry, &constants, twin),
        bindings: vec![(from, x), (to, y)],
        grid: [groups(width, size), groups(count, 1), 1],
        flops: (rows * columns) as u64,
    });
}

/// Rows which are few enough to be added one by one.
pub const FEW: usize = 64;

/// Appends the sum of all rows of `x` into `y`. Where there are many rows, it takes two steps on
/// a GPU, to occupy it, and a workgroup per few columns on a CPU, where each step costs a wake-up.
pub fn sum_rows(plan: &mut Plan, label: &str, x: SlotId, rows: usize, y: SlotId) {
    if rows <= FEW {
        return column_sums(plan, label.into(), x, rows, Parts::Groups(1), y);
    }
    if plan.caps.software {
        return column_sums(plan, label.into(), x, rows, Parts::Workgroup, y);
    }
    // About as many groups as rows in each, so that neither sum is long.
    let parts = rows.isqrt().min(256);
    let columns = plan[x].len() / rows;
    let name = format!("{}.partials", plan[y].name);
    let partials = plan.slot(name, &[parts, columns], Role::Activation);
    let grouped = format!("{label} (groups)");
    column_sums(plan, grouped, x, rows, Parts::Groups(parts), partials);
    column_sums(plan, label.into(), partials, parts, Parts::Groups(1), y);
}
