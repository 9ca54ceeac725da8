//! The machine's first file system: a cpio archive.

use std::{
    fs::{self, File},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    shell,
    test::{Options, Suite},
    vm::{Kernel, modules},
    workspace::Workspace,
};

/// Programs of this machine that suites start.
const TOOLS: &[&str] = &["ip"];

/// Makes the archive in a folder and returns its path.
///
/// # Errors
///
/// When a program is missing, or the disk is full.
pub(crate) fn make(
    folder: &Path,
    workspace: &Workspace,
    kernel: &Kernel,
    suites: &[&Suite],
    binary: &Path,
    options: &Options,
) -> Result<PathBuf> {
    let root = Root(folder.join("root"));
    for name in [
        "applets", "bin", "dev", "modules", "proc", "root", "run", "suites", "sys", "tmp", "var",
    ] {
        fs::create_dir_all(root.0.join(name))?;
    }
    let busybox = workspace.kernels().join("busybox/bin/busybox");
    for applet in shell::output(Command::new(&busybox).arg("--list"))?.lines() {
        symlink("/bin/busybox", root.0.join("applets").join(applet))?;
    }
    fs::copy(&busybox, root.0.join("bin/busybox")).context("cannot copy busybox")?;
    for tool in TOOLS {
        root.add_program(&find(tool)?, &Path::new("bin").join(tool))?;
    }
    root.add_program(binary, Path::new("bin/ftp-guard"))?;
    for suite in suites {
        root.add_program(&suite.executable, &Path::new("suites").join(&suite.name))?;
    }

    let modules = modules::copy(kernel, &root.0.join("modules"))?;
    let modules = modules.iter().map(|name| format!("/modules/{name}\n"));
    root.write("modules.list", &modules.collect::<String>())?;
    let names = suites.iter().map(|suite| format!("{}\n", suite.name));
    root.write("suites.list", &names.collect::<String>())?;
    ensure!(
        options
            .arguments
            .iter()
            .all(|argument| !argument.contains(char::is_whitespace)),
        "arguments with white space do not reach the suites on another kernel"
    );
    root.write("arguments", &options.arguments.join(" "))?;
    root.write("environment", &environment(options))?;
    root.write("init", include_str!("init.sh"))?;
    fs::set_permissions(root.0.join("init"), fs::Permissions::from_mode(0o755))?;
    root.pack(&folder.join("initrd"))
}

/// What the suites find in their environment there, as shell.
fn environment(options: &Options) -> String {
    let mut text =
        String::from("export FTP_GUARD_BIN=/bin/ftp-guard\nexport FTP_GUARD_EMULATED=1\n");
    if let Some(frames) = options.suites.frames {
        text.push_str(&format!("export FTP_GUARD_FRAMES={frames}\n"));
    }
    if let Some(seed) = options.suites.seed {
        text.push_str(&format!("export FTP_GUARD_SEED={seed}\n"));
    }
    text
}

/// The folder that becomes the file system.
struct Root(PathBuf);

impl Root {
    /// Adds a program, without its debug information, and the shared libraries it asks for.
    fn add_program(&self, program: &Path, place: &Path) -> Result<()> {
        let mut strip = Command::new("strip");
        strip.args(["--strip-debug", "-o"]).arg(self.0.join(place));
        shell::run(strip.arg(program))?;
        let libraries = shell::output(Command::new("ldd").arg(program))?;
        for library in libraries_in(&libraries)? {
            let copy = self.0.join(library.trim_start_matches('/'));
            if copy.exists() {
                continue;
            }
            if let Some(parent) = copy.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::copy(library, copy).with_context(|| format!("cannot copy {library}"))?;
        }
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        fs::write(self.0.join(name), text).with_context(|| format!("cannot write {name}"))
    }

    fn pack(&self, archive: &Path) -> Result<PathBuf> {
        let list = archive.with_extension("list");
        let mut find = Command::new("find");
        find.current_dir(&self.0)
            .args([".", "-print0"])
            .stdout(File::create(&list)?);
        shell::run(&mut find)?;
        let mut cpio = Command::new("cpio");
        cpio.current_dir(&self.0)
            .args(["--create", "--format=newc", "--null", "--quiet"])
            .stdin(File::open(&list)?)
            .stdout(File::create(archive)?)
            .stderr(Stdio::inherit());
        shell::run(&mut cpio)?;
        Ok(archive.to_path_buf())
    }
}

/// The files in what `ldd` prints: `NAME => FILE (ADDRESS)` or `FILE (ADDRESS)`.
fn libraries_in(text: &str) -> Result<Vec<&str>> {
    let mut libraries = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.ends_with("=> not found") {
            bail!("a shared library is missing: {line}");
        }
        let file = line.split_once("=> ").map_or(line, |(_, file)| file);
        if file.starts_with('/') {
            libraries.push(file.split(" (").next().unwrap_or(file));
        }
    }
    Ok(libraries)
}

fn find(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let mut found = folders.into_iter().map(|folder| folder.join(program));
    found
        .find(|file| file.is_file())
        .with_context(|| format!("{program} is missing: run `cargo xtask setup --only kernels`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_libraries_are_read_from_ldd() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f5e)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f5f)\n";
        let expected = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(libraries_in(text).unwrap(), expected);
        assert_eq!(libraries_in("\tstatically linked\n").unwrap(), [""; 0]);
        assert!(libraries_in("\tlibx.so => not found\n").is_err());
    }
}
