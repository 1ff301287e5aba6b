use jiff::Timestamp;
use tower_zookie::revision::{HybridTime, Opaque, PermifySnapshot, PostgresSnapshot, Revision, StoreId, TransactionId};
use tower_zookie::token::{TokenError, TokenFormat, Unverified};

/// The store and the revision of a token, a line for each part.
pub(super) fn describe(format: &dyn TokenFormat, token: &str) -> Result<String, TokenError> {
    let revision = format.decode(token)?;
    let mut lines = vec![("store", store(revision.store()))];
    lines.extend(parts(&revision));
    if format.has_more_than_revision(token) {
        lines.push(("also", "the hash of a schema".to_owned()));
    }
    if !format.issues(token) {
        let doubt = "a service on this engine would not issue it; is the engine right?";
        lines.push(("warning", doubt.to_owned()));
    }
    let lines: Vec<String> = lines
        .iter()
        .map(|(name, value)| format!("{name:<12} {value}"))
        .collect();
    Ok(lines.join("\n"))
}

/// What a signed token says of its signature.
pub(super) fn signature(signed: &Unverified) -> String {
    let issued = Timestamp::try_from(signed.issued).map_or("at an unknown time".to_owned(), |at| at.to_string());
    format!(
        "{:<12} with the key {}, issued {issued}; the signature is not verified",
        "signed", signed.key
    )
}

fn store(id: &StoreId) -> String {
    let parts: Vec<&str> = id.parts().collect();
    match &*parts {
        ["spicedb", engine, ""] => format!("spicedb {engine}, without the datastore's id"),
        ["spicedb", engine, prefix] => format!("spicedb {engine}, datastore {prefix}"),
        parts => parts.join(" "),
    }
}

fn parts(revision: &Revision) -> Vec<(&'static str, String)> {
    if let Some(snapshot) = revision.point::<PostgresSnapshot>() {
        return vec![
            ("kind", "a snapshot of PostgreSQL".to_owned()),
            ("xmin", snapshot.xmin().to_string()),
            ("xmax", snapshot.xmax().to_string()),
            ("in progress", list(snapshot.in_progress())),
        ];
    }
    if let Some(snapshot) = revision.point::<PermifySnapshot>() {
        let mut parts = vec![
            (
                "kind",
                "a snapshot of PostgreSQL, with the transaction of a write".to_owned(),
            ),
            ("transaction", snapshot.xid().to_string()),
        ];
        match snapshot.xmin().zip(snapshot.xmax()) {
            Some((xmin, xmax)) => parts.extend([
                ("xmin", xmin.to_string()),
                ("xmax", xmax.to_string()),
                ("in progress", list(snapshot.in_progress())),
            ]),
            None => parts[0].1 = "a transaction of PostgreSQL: it covers nothing else".to_owned(),
        }
        return parts;
    }
    if let Some(time) = revision.point::<HybridTime>() {
        let mut parts = vec![("kind", "a time".to_owned()), ("nanoseconds", time.nanos.to_string())];
        if let Ok(instant) = Timestamp::from_nanosecond(time.nanos.into()) {
            parts.push(("time", instant.to_string()));
        }
        if time.logical > 0 {
            parts.push(("logical", time.logical.to_string()));
        }
        return parts;
    }
    if let Some(transaction) = revision.point::<TransactionId>() {
        let kind = "a transaction's number; a smaller one may be committed later";
        return vec![("kind", kind.to_owned()), ("transaction", transaction.0.to_string())];
    }
    let kind = match revision.point::<Opaque>() {
        Some(_) => "opaque: it covers only itself",
        None => "unknown",
    };
    vec![("kind", kind.to_owned())]
}

fn list(ids: &[u64]) -> String {
    match ids {
        [] => "none".to_owned(),
        ids => ids.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
    }
}
