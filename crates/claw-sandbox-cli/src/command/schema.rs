//! `schema`: the JSON Schema of policy files.

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Prints the schema, indented: it is read by people and editors.
pub(crate) fn run() -> Outcome {
    let text = serde_json::to_string_pretty(&claw_policy::schema()).map_err(Failure::new)?;
    output::print(format_args!("{text}\n"))?;
    Ok(Exit::Success)
}
