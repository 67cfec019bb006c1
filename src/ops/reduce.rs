//! Sums over rows in a fixed order.

use super::kernel;
use crate::plan::cpu::Tensors;
use crate::plan::{Plan, Role, SlotId, Step, groups};

/// Appends `y [groups, columns]`, each row the sum of one contiguous range of the rows of
/// `x [rows, columns]`. Slots may have any shape of that many elements.
pub fn column_sums(
    plan: &mut Plan,
    label: String,
    x: SlotId,
    rows: usize,
    parts: usize,
    y: SlotId,
) {
    let columns = plan[x].len() / rows;
    let constants = [
        ("ROWS", rows as f64),
        ("COLUMNS", columns as f64),
        ("GROUPS", parts as f64),
    ];
    let by_four = columns.is_multiple_of(4);
    let (entry, from, to, width) = if plan[x].texels {
        ("column_sums_texels", "texels", "y4", columns / 4)
    } else if by_four {
        ("column_sums4", "x4", "y4", columns / 4)
    } else {
        ("column_sums", "x", "y", columns)
    };
    let twin = move |t: &Tensors| {
        let x = t.floats(from);
        let mut y = t.floats_mut(to);
        y.fill(0.0);
        let size = rows.div_ceil(parts);
        for (r, row) in x.chunks(columns).take(rows).enumerate() {
            let sum = &mut y[r / size * columns..][..columns];
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
    };
    plan.push(Step {
        label,
        kernel: kernel("reduce", entry, &constants, twin),
        bindings: vec![(from, x), (to, y)],
        grid: [groups(width, 64), groups(parts, 1), 1],
        flops: (rows * columns) as u64,
    });
}

/// Appends the sum of all rows of `x` into `y`, in two steps where there are many rows.
pub fn sum_rows(plan: &mut Plan, label: &str, x: SlotId, rows: usize, y: SlotId) {
    const FEW: usize = 64;
    if rows <= FEW {
        return column_sums(plan, label.into(), x, rows, 1, y);
    }
    // About as many groups as rows in each, so that neither sum is long.
    let parts = rows.isqrt().min(256);
    let columns = plan[x].len() / rows;
    let name = format!("{}.partials", plan[y].name);
    let partials = plan.slot(name, &[parts, columns], Role::Activation);
    column_sums(plan, format!("{label} (groups)"), x, rows, parts, partials);
    column_sums(plan, label.into(), partials, parts, 1, y);
}
