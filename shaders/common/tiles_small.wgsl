// A tile of 32 rows × 32 columns, in quads.
const ROWS = 8u;
const COLUMNS = 8u;
