use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::consistency::{CONSISTENCY, Consistency};
use crate::session::current::{Session, signed};
use crate::session::floors::{Floors, MOST_TOKENS};
use crate::session::outbound::channel::Known;
use crate::session::reply::fully_consistent;
use crate::token::Zookie;

/// States what a session demands in a request's headers, beside what they demand already.
pub(super) fn demand(session: &Session, known: &Known, headers: &mut HeaderMap, carrier: &HeaderName, sign: bool) {
    if is_exact(headers) {
        return;
    }
    let floors = session.floors().clone();
    let (mut demanded, others) = of_channel(session, &floors, known);
    let mut at_head = floors.at_head || others && demanded.tokens().is_empty();
    if !demanded.tokens().is_empty() && !join(session, &mut demanded, headers, carrier, sign) {
        at_head = true;
    }
    if at_head {
        headers.insert(CONSISTENCY, fully_consistent());
    }
}

/// The session's tokens that are of concern at the other end, and whether there are others.
fn of_channel(session: &Session, floors: &Floors, known: &Known) -> (Floors, bool) {
    let of_one_store = floors.only_store().is_some();
    let (mut theirs, mut others) = (Floors::default(), false);
    for token in floors.tokens() {
        if known.takes(token.revision.store(), of_one_store) {
            theirs.add(session.memo(), Arc::clone(token));
        } else {
            others = true;
        }
    }
    (theirs, others)
}

/// Joins tokens with those of the request. `false`: there are more than a request may have, so it keeps its own.
fn join(session: &Session, demanded: &mut Floors, headers: &mut HeaderMap, carrier: &HeaderName, sign: bool) -> bool {
    let mut unreadable: Vec<&str> = Vec::new();
    for value in headers.get_all(carrier) {
        let Ok(texts) = value.to_str() else { return false };
        for text in texts.split(',').map(str::trim) {
            match session.memo().parse(text) {
                Ok(token) => demanded.add(session.memo(), token),
                Err(_) => unreadable.push(text),
            }
        }
    }
    if demanded.incomplete || demanded.tokens().len() + unreadable.len() > MOST_TOKENS {
        return false;
    }
    let tokens = demanded.tokens().iter().map(|token| match sign {
        true => signed(session.memo(), token),
        false => token.zookie.clone(),
    });
    let tokens: Vec<Zookie> = tokens.collect();
    let texts: Vec<&str> = tokens.iter().map(Zookie::as_str).chain(unreadable).collect();
    let Ok(list) = HeaderValue::try_from(texts.join(",")) else {
        return false;
    };
    headers.insert(carrier.clone(), list);
    true
}

fn is_exact(headers: &HeaderMap) -> bool {
    let mut stated = headers.get_all(CONSISTENCY).iter();
    stated.any(|value| value.to_str().ok().and_then(|text| text.parse().ok()) == Some(Consistency::AtExactSnapshot))
}
