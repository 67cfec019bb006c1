// The table of the parity check.

/** JSON has no NaN: a missing share is one. */
export const passes = (row) => typeof row.share === "number" && row.share <= 1;
