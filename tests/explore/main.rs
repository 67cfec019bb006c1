//! The commands that use a trained model, by what their files hold: arrays and tables against the
//! CPU twins in double precision, pictures pixel by pixel. Made-up models of grey and of colour
//! images stand in for trained ones.

mod answers;
mod errors;
mod layouts;
mod made;
mod onnx;
mod pictures;
#[path = "../cli/program.rs"]
#[allow(dead_code, reason = "each test file uses its own part")]
mod program;
mod snippets;
mod tables;
