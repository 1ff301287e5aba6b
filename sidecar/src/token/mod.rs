//! What `zookie-sidecar token` prints.

mod describe;

use tower_zookie::token::{Comparison, Signing, TokenError, TokenFormat, Unverified, compare, join, readers};

use self::describe::{describe, signature};
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
            let inner = unsigned(&tokens)?;
            readable(&*format, &inner)?;
            let described = inner.iter().zip(&tokens).map(|(inner, token)| {
                let described = describe(&*format, inner)?;
                Ok::<_, TokenError>(match Unverified::read(token) {
                    Ok(signed) => format!("{}\n{described}", signature(&signed)),
                    Err(_) => described,
                })
            });
            Ok(described.collect::<Result<Vec<_>, _>>()?.join("\n\n"))
        }
        TokenCommand::Compare { of, one, other } => {
            let format = of.format()?;
            let tokens = unsigned(&[one, other])?;
            readable(&*format, &tokens)?;
            Ok(say(compare(&*format, &tokens[0], &tokens[1])?).to_owned())
        }
        TokenCommand::Join { of, tokens } => {
            let format = of.format()?;
            let tokens = unsigned(&tokens)?;
            readable(&*format, &tokens)?;
            let joined = join(&*format, tokens.iter().map(String::as_str))?;
            let texts: Vec<String> = joined.iter().map(ToString::to_string).collect();
            Ok(texts.join("\n"))
        }
    }
}

/// The tokens without their signatures, which are not verified here.
fn unsigned(tokens: &[String]) -> Result<Vec<String>, Unreadable> {
    let inner = |(nth, token): (usize, &String)| match Signing::is_signed(token) {
        false => Ok(token.clone()),
        true => match Unverified::read(token) {
            Ok(signed) => Ok(signed.zookie.to_string()),
            Err(source) => Err(Unreadable {
                place: nth + 1,
                hint: String::new(),
                source,
            }),
        },
    };
    tokens.iter().enumerate().map(inner).collect()
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
