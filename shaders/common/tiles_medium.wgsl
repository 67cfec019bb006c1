// Tiles of 64 rows × 32 columns.

const ROWS = 16u;     // quads of rows of a tile
const COLUMNS = 8u;   // quads of columns of a tile
