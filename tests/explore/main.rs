//! The output of commands on a trained model: arrays and tables against the CPU twins in double
//! precision, pictures pixel by pixel. The models are made up, for grey and for colour images.

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
