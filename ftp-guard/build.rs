//! Compiles the kernel programs (package `ftp-guard-ebpf`) and leaves the object in `OUT_DIR`.

use std::process::ExitCode;

#[path = "build/compiler.rs"]
mod compiler;
#[path = "build/object.rs"]
mod object;

fn main() -> ExitCode {
    let programs = object::Object {
        package: "ftp-guard-ebpf",
        binary: "ftp-guard",
        sources: &[
            "ftp-guard-ebpf/src",
            "ftp-guard-ebpf/Cargo.toml",
            "ftp-guard-common/src",
            "ftp-guard-common/Cargo.toml",
            "Cargo.toml",
            "Cargo.lock",
        ],
    };
    programs.main()
}
