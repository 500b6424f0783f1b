//! Manual pages and shell completions, made from the tree of commands.
//!
//! Neither is kept anywhere else, so neither can disagree with the program.

use clap_complete::Shell;
use clap_mangen::Man;
use std::io;
use std::path::{Path, PathBuf};

/// The manual page of the program, as roff.
pub fn page(tree: clap::Command) -> io::Result<String> {
    rendered(tree)
}

/// Writes the pages of all commands into a directory, which is made if need be; gives their paths in order.
pub fn write_all(tree: &clap::Command, folder: &Path) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let mut written = Vec::new();
    write(tree, folder, &mut written)?;
    written.sort();
    Ok(written)
}

/// The completion script of a shell.
pub fn completions(mut tree: clap::Command, shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut tree, "awsideman", &mut script);
    script
}

fn write(command: &clap::Command, folder: &Path, written: &mut Vec<PathBuf>) -> io::Result<()> {
    for child in command.get_subcommands() {
        write(child, folder, written)?;
    }
    let path = folder.join(Man::new(command.clone()).get_filename());
    std::fs::write(&path, rendered(command.clone())?)?;
    written.push(path);
    Ok(())
}

fn rendered(command: clap::Command) -> io::Result<String> {
    let mut bytes = Vec::new();
    Man::new(command).render(&mut bytes)?;
    String::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tree;

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let written = write_all(&tree(), &folder.path().join("man1")).unwrap();
        let names: Vec<String> = written.iter().map(|path| crate::secure_fs::file_name(path)).collect();
        for name in ["awsideman.1", "awsideman-user.1", "awsideman-user-list.1", "awsideman-cache-status.1"] {
            assert!(names.iter().any(|written| written == name), "{name} in {names:?}");
        }
        let page = std::fs::read_to_string(folder.path().join("man1/awsideman-user-list.1")).unwrap();
        assert!(page.contains("no\\-cache") && page.contains("Examples:"), "{page}");
    }

    #[test]
    fn the_page_has_the_exit_codes() {
        assert!(page(tree()).unwrap().contains("Exit codes:"));
    }

    #[test]
    fn each_shell_gets_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            let script = String::from_utf8(completions(tree(), shell)).unwrap();
            assert!(script.contains("permission-set") && script.contains("max-age"), "{shell}");
        }
    }
}
