//! `kepler completions` and `kepler man`: what a shell and `man` know of this program.

use super::exit::Failure;
use clap::{Args, Command};
use clap_complete::Shell;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

/// Which shell.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Where to put it:\n  bash  kepler completions bash > /usr/share/bash-completion/completions/kepler\n  \
    zsh   kepler completions zsh > /usr/share/zsh/site-functions/_kepler\n  \
    fish  kepler completions fish > /usr/share/fish/vendor_completions.d/kepler.fish"
)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Where to write.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write a page for the program and for each command into this directory, such as /usr/share/man/man1; without it the program's
    /// page goes to standard output
    directory: Option<PathBuf>,
}

/// Writes the completions of a shell on standard output.
///
/// # Errors
/// It cannot be written.
pub(super) fn completions(asked: &Completions, mut program: Command) -> Result<(), Failure> {
    let mut text = Vec::new();
    clap_complete::generate(asked.shell, &mut program, "kepler", &mut text);
    write(&text)
}

/// Writes manual pages.
///
/// # Errors
/// The directory or a file cannot be written.
pub(super) fn man(asked: &Man, program: Command) -> Result<(), Failure> {
    let Some(directory) = &asked.directory else { return write(&page(program)?) };
    let failed = Failure::to("write the manual pages");
    fs::create_dir_all(directory).map_err(&failed)?;
    let mut program = program.disable_help_subcommand(true);
    program.build();
    let mut left = vec![("kepler".to_owned(), program)];
    while let Some((name, command)) = left.pop() {
        for verb in command.get_subcommands() {
            left.push((format!("{name}-{}", verb.get_name()), verb.clone()));
        }
        fs::write(directory.join(format!("{name}.1")), page(command.name(name))?).map_err(&failed)?;
    }
    Ok(())
}

fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let source = concat!("kepler ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command).source(source).render(&mut text).map_err(Failure::to("write the manual page"))?;
    Ok(text)
}

fn write(text: &[u8]) -> Result<(), Failure> {
    match io::stdout().lock().write_all(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Failure::to("write the answer")),
    }
}
