//! `schema`: the JSON Schemas of policy files and of what adapters say.

use crate::args::SchemaOf;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output;

/// Prints the schema, indented: it is read by people and editors.
pub(crate) fn run(of: SchemaOf) -> Outcome {
    let schema = match of {
        SchemaOf::Policy => claw_policy::schema(),
        SchemaOf::Request => claw_wire::request_schema(),
        SchemaOf::Decision => claw_wire::decision_schema(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(Failure::new)?;
    output::print(format_args!("{text}\n"))?;
    Ok(Exit::Success)
}
