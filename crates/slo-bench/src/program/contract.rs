//! `slo-bench contract`: contracts to and from OpenSLO.
//!
//! Never replaces a file when it imports.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use slo_bench::cli::{Terminal, Usage, export_openslo, import_openslo, label};
use slo_bench::{Error, Exit, Result, WORKLOADS};

use super::args::ContractCommand;
use super::setup::contracts;

pub(super) fn run(command: &ContractCommand, terminal: &Terminal) -> anyhow::Result<Exit> {
    match command {
        ContractCommand::Export { contracts: place, name, out } => {
            let set = contracts(place)?;
            let wanted = |known: &str| name.is_empty() || name.iter().any(|name| name == known);
            let chosen: Vec<_> =
                set.contracts.iter().filter(|contract| wanted(&contract.name)).collect();
            let is_known = |name: &&String| chosen.iter().any(|contract| contract.name == **name);
            if let Some(missing) = name.iter().find(|name| !is_known(name)) {
                let known: Vec<_> = set.contracts.iter().map(|known| known.name.as_str()).collect();
                let known = known.join("`, `");
                let text = format!("no contract is named `{missing}`; there are `{known}`");
                return Err(Usage(text).into());
            }
            let yaml = export_openslo(&chosen)?;
            match out {
                Some(file) => {
                    fs::write(file, yaml).map_err(|error| unwritable(file, &error))?;
                    terminal.line(&format!("{} contracts in {}", chosen.len(), file.display()));
                }
                None => terminal.line(yaml.trim_end()),
            }
        }
        ContractCommand::Import { file, out } => {
            let text = fs::read_to_string(file)
                .map_err(|error| Error::Input { file: file.clone(), reason: error.to_string() })?;
            // Everything is read before anything is written.
            let imported = import_openslo(&text, file, WORKLOADS)?;
            fs::create_dir_all(out).map_err(|error| unwritable(out, &error))?;
            for (contract, toml) in imported {
                let path = out.join(format!("{}.toml", label(&contract.name)));
                write_new(&path, &toml)?;
                terminal.line(&format!("{} in {}", contract.name, path.display()));
            }
        }
    }
    Ok(Exit::Pass)
}

fn write_new(path: &Path, text: &str) -> Result<()> {
    let file = fs::File::create_new(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Error {
    let (path, reason) = (path.to_owned(), error.to_string());
    Error::OutputUnwritable { path, reason, option: "--out" }
}
