//! `man`: the manual pages, made from the command line's own definition.

use std::fs;
use std::io;

use clap::CommandFactory as _;
use clap_mangen::Man;
use serde_json::json;

use crate::args::{Cli, ManArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Writes the pages.
pub(crate) fn run(args: &ManArgs) -> Outcome {
    match &args.directory {
        None => {
            let page = page(Cli::command())?;
            let page = String::from_utf8_lossy(&page);
            if args.json {
                output::print_json(&json!({ "page": page }))?;
            } else {
                output::print(page)?;
            }
        }
        Some(directory) => {
            let write = || -> io::Result<()> {
                fs::create_dir_all(directory)?;
                clap_mangen::generate_to(Cli::command(), directory)
            };
            write().map_err(|error| {
                Failure::io(
                    "cannot write the manual pages",
                    directory,
                    &error,
                    "name a directory that can be written",
                )
            })?;
            if args.json {
                output::print_json(&json!({ "path": directory.to_string_lossy(), "written": true }))?;
            }
        }
    }
    Ok(Exit::Success)
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page).map_err(Failure::new)?;
    Ok(page)
}
