//! The commands that use a trained model, by what their files hold: arrays and tables against the
//! CPU twins in double precision, pictures pixel by pixel. Made-up models of grey and of colour
//! images stand in for trained ones.

#[path = "explore/answers.rs"]
mod answers;
#[path = "explore/errors.rs"]
mod errors;
#[path = "explore/layouts.rs"]
mod layouts;
#[path = "explore/made.rs"]
mod made;
#[path = "explore/onnx.rs"]
mod onnx;
#[path = "explore/pictures.rs"]
mod pictures;
#[path = "cli/program.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod program;
#[path = "explore/snippets.rs"]
mod snippets;
#[path = "explore/tables.rs"]
mod tables;
