//! The door of the page: the library for JavaScript, by wasm-bindgen. web/worker.js calls it.
//!
//! Structures cross the border as JSON, arrays as typed arrays. Errors are JavaScript errors whose
//! message says what is wrong.

mod engine;
mod images;
mod settings;
mod twin;

use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(text: &str);
}

fn main() {
    // A panic is a fault of the program: the console shows it, and the worker cannot go on.
    std::panic::set_hook(Box::new(|info| console_error(&info.to_string())));
}
