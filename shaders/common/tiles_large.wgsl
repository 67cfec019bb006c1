// Tiles of 64 rows × 64 columns.

const ROWS = 16u;     // quads of rows of a tile
const COLUMNS = 16u;  // quads of columns of a tile
