//! What holds for all arguments: each is an environment variable too.

use clap::{Arg, ArgAction, Args as _, Command, CommandFactory, Parser};

use super::Args;

const PREFIX: &str = "ZOOKIE_";

const ENVIRONMENT: &str = "\
zookie-sidecar token reads, compares and joins tokens, without an upstream: see zookie-sidecar token --help.

Each option is an environment variable too: --http-upstream is ZOOKIE_HTTP_UPSTREAM. An option on the command line wins. A \
switch such as ZOOKIE_MIX_REVISIONS is true or false; several values, as of ZOOKIE_FOLLOW_TENANT, are separated by spaces.

RUST_LOG says what is logged: error, warn (default), info, debug or trace, or by module, such as RUST_LOG=warn,tower_zookie=debug.";

impl CommandFactory for Args {
    fn command() -> Command {
        let command = Command::new("zookie-sidecar").version(env!("CARGO_PKG_VERSION"));
        Self::augment_args(command)
            .about(
                "Answers the checks of SpiceDB or Permify from memory, exactly as fresh as each caller's token demands, and \
                 forwards everything else",
            )
            .after_help(ENVIRONMENT)
            .mut_args(from_environment)
    }

    fn command_for_update() -> Command {
        Self::command()
    }
}

impl Parser for Args {}

/// Those of these environment variables that look like an option's, and are none.
pub fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let command = Args::command();
    let is_known = |name: &str| {
        let mut variables = command.get_arguments().filter_map(Arg::get_env);
        variables.any(|variable| variable == name)
    };
    // Kubernetes describes a service named `zookie` to every container by variables such as these.
    let is_of_kubernetes = |name: &str| name.starts_with("ZOOKIE_PORT") || name.starts_with("ZOOKIE_SERVICE_");
    let named = names.filter(|name| name.starts_with(PREFIX));
    named
        .filter(|name| !is_known(name) && !is_of_kubernetes(name))
        .collect()
}

/// `ZOOKIE_`, and the option's name in capitals.
fn from_environment(arg: Arg) -> Arg {
    let Some(long) = arg.get_long() else { return arg };
    let name = format!("{PREFIX}{}", long.to_uppercase().replace('-', "_"));
    // Only its name is shown: some values are of no concern to whoever reads the help.
    let arg = arg.env(name).hide_env_values(true);
    match arg.get_action() {
        ArgAction::Append => arg.value_delimiter(' '),
        _ => arg,
    }
}
