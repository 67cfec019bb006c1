// A tile of 64 rows × 64 columns, in quads.
const ROWS = 16u;
const COLUMNS = 16u;
