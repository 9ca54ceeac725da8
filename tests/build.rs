//! Compiles the suites' kernel program (package `ftp-guard-tests-ebpf`) and leaves the object in
//! `OUT_DIR`.

use std::process::ExitCode;

#[path = "../ftp-guard/build/compiler.rs"]
mod compiler;
#[path = "../ftp-guard/build/object.rs"]
mod object;

fn main() -> ExitCode {
    let program = object::Object {
        package: "ftp-guard-tests-ebpf",
        binary: "flood",
        sources: &[
            "tests/ebpf/src",
            "tests/ebpf/Cargo.toml",
            "Cargo.toml",
            "Cargo.lock",
        ],
    };
    program.main()
}
