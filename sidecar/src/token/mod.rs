//! What `zookie-sidecar token` prints.

mod describe;

use tower_zookie::token::{Comparison, TokenError, TokenFormat, compare, join, readers};

use self::describe::describe;
use crate::AnyError;
use crate::args::token::TokenCommand;

/// A token that can't be read. The text itself is not repeated.
#[derive(Debug, thiserror::Error)]
#[error("token {place} can't be read by this engine{hint}")]
struct Unreadable {
    place: usize,
    hint: String,
    source: TokenError,
}

/// The lines to print.
pub fn run(command: TokenCommand) -> Result<String, AnyError> {
    match command {
        TokenCommand::Inspect { of, tokens } => {
            let format = of.format()?;
            readable(&*format, &tokens)?;
            let described = tokens.iter().map(|token| describe(&*format, token));
            Ok(described.collect::<Result<Vec<_>, _>>()?.join("\n\n"))
        }
        TokenCommand::Compare { of, one, other } => {
            let format = of.format()?;
            let tokens = [one, other];
            readable(&*format, &tokens)?;
            Ok(say(compare(&*format, &tokens[0], &tokens[1])?).to_owned())
        }
        TokenCommand::Join { of, tokens } => {
            let format = of.format()?;
            readable(&*format, &tokens)?;
            let joined = join(&*format, tokens.iter().map(String::as_str))?;
            let texts: Vec<String> = joined.iter().map(ToString::to_string).collect();
            Ok(texts.join("\n"))
        }
    }
}

/// Says which token can't be read, and which engine could read it.
fn readable(format: &dyn TokenFormat, tokens: &[String]) -> Result<(), Unreadable> {
    for (nth, token) in tokens.iter().enumerate() {
        if let Err(source) = format.decode(token) {
            return Err(Unreadable {
                place: nth + 1,
                hint: hint(token),
                source,
            });
        }
    }
    Ok(())
}

fn hint(token: &str) -> String {
    let readers = readers(token).into_iter().filter(|(system, _)| *system != "InferaDB");
    let options: Vec<String> = readers
        .map(|(system, engine)| format!("'--system {} --engine {engine}'", system.to_lowercase()))
        .collect();
    match &*options {
        [] => String::new(),
        options => format!("; say {}", options.join(" or ")),
    }
}

fn say(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Equal => "equal",
        Comparison::Before => "before",
        Comparison::After => "after",
        Comparison::Concurrent => "concurrent",
        _ => "different-stores",
    }
}
