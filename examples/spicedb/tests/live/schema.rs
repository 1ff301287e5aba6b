//! The schema of these tests: that of the recorded history, and what expires or depends on a context.

use spicedb_examples::v1::schema_service_client::SchemaServiceClient;
use spicedb_examples::v1::{ReadSchemaRequest, WriteSchemaRequest};
use tonic::{Code, Status};

use crate::client::Caller;

pub(crate) const PREFIX: &str = "zookie_live/";
const HISTORY: &str = include_str!("../../../data/schema.zed");
const DOORS: &str = "
caveat zookie_live/in_hours(hour int) {
  hour < 18
}

definition zookie_live/door {
  relation opener: zookie_live/user | zookie_live/user with expiration | zookie_live/user with zookie_live/in_hours
  permission open = opener
}
";
const EXPIRATION: &str = "use expiration";

/// Adds the definitions to the schema that is there, if it does not have them.
pub(crate) async fn define(client: &mut SchemaServiceClient<Caller>) -> Result<(), Status> {
    let schema = match client.read_schema(ReadSchemaRequest {}).await {
        Ok(reply) => reply.into_inner().schema_text,
        Err(status) if status.code() == Code::NotFound => String::new(),
        Err(status) => return Err(status),
    };
    if !schema.contains(&format!("definition {PREFIX}door")) {
        let there = schema.replacen(EXPIRATION, "", 1);
        let schema = format!("{EXPIRATION}\n{there}\n{}\n{DOORS}", history());
        client.write_schema(WriteSchemaRequest { schema }).await?;
    }
    Ok(())
}

/// The history's schema with its types in a namespace of their own.
fn history() -> String {
    let mut schema = HISTORY.to_owned();
    for name in ["user", "org", "team", "repo"] {
        for before in ["definition ", ": ", "| "] {
            schema = schema.replace(&format!("{before}{name}"), &format!("{before}{PREFIX}{name}"));
        }
    }
    schema
}
