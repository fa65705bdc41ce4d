//! `page-bindgen INPUT.wasm OUTPUT_DIRECTORY NAME`: writes `NAME.js` and `NAME_bg.wasm`, as `wasm-bindgen --target web` does.

use std::{env, process::ExitCode};

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [input, directory, name] = arguments.as_slice() else {
        eprintln!("usage: page-bindgen INPUT.wasm OUTPUT_DIRECTORY NAME");
        return ExitCode::from(2);
    };
    match write(input, directory, name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            eprintln!("page-bindgen: {cause:#}");
            ExitCode::FAILURE
        }
    }
}

fn write(input: &str, directory: &str, name: &str) -> anyhow::Result<()> {
    Bindgen::new().input_path(input).out_name(name).typescript(false).web(true)?.remove_name_section(true).generate(directory)
}
