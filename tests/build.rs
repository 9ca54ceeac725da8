//! Compiles the suites' kernel programs (package `ftp-guard-tests-ebpf`) and leaves the objects in
//! `OUT_DIR`.

use std::process::ExitCode;

#[path = "../ftp-guard/build/compiler.rs"]
mod compiler;
#[path = "../ftp-guard/build/object.rs"]
mod object;

fn main() -> ExitCode {
    for binary in ["flood", "trie"] {
        let program = object::Object {
            package: "ftp-guard-tests-ebpf",
            binary,
            sources: &[
                "tests/ebpf/src",
                "tests/ebpf/Cargo.toml",
                "Cargo.toml",
                "Cargo.lock",
            ],
        };
        if program.main() != ExitCode::SUCCESS {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
