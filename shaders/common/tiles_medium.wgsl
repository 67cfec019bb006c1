// A tile of 64 rows × 32 columns, in quads.
const ROWS = 16u;
const COLUMNS = 8u;
