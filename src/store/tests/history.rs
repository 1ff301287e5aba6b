use std::error::Error;
use std::path::Path;

use crate::store::embedded::Store;
use crate::store::filter::Filter;
use crate::store::history::{History, HistoryError, Transaction};
use crate::store::tests::check;

fn data() -> History {
    History::open(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data")).unwrap()
}

#[test]
fn the_whole_history_loads() {
    let history = data();
    assert_eq!(history.transactions.len(), 1_451);
    assert_eq!(history.transactions[0].t, 1_541_363_323);
    let store = Store::new(history.schema);
    for transaction in history.transactions {
        store.write(transaction.updates).unwrap();
    }
    let head = store.current_revision();
    assert_eq!(head, 1_452);
    let count = |name: &str, at| store.read(&Filter::of_type(name), at).unwrap().len();
    let all = |at| {
        ["user", "org", "team", "repo"]
            .map(|name| count(name, at))
            .iter()
            .sum::<usize>()
    };
    assert_eq!(all(head), 2_193);
    assert_eq!(all(2), 168);
    assert_eq!(count("org", head), 154);
    assert_eq!(count("repo", head), 608);
    assert!(check(&store, "repo:rust-lang/rust#push@team:compiler#member"));

    let before = all(700);
    store.garbage_collect(700);
    assert_eq!((all(700), all(head)), (before, 2_193));
}

fn read(text: &str) -> Result<Vec<Transaction>, HistoryError> {
    History::read_transactions(text.as_bytes(), Path::new("some.jsonl"))
}

#[test]
fn errors_name_file_and_line() {
    let good = r#"{"t":5,"updates":[["touch","team:a","direct","user:b"],["delete","team:a","lead","user:b"]]}"#;
    assert_eq!(read(&format!("{good}\n\n{good}\n")).unwrap().len(), 2);

    let error = read(&format!("{good}\nnonsense")).unwrap_err();
    assert!(
        error.to_string().starts_with("some.jsonl, line 2: not a transaction"),
        "{error}"
    );
    assert!(error.source().is_some());

    let error = read(&good.replace("user:b", "user b")).unwrap_err();
    assert_eq!(error.to_string(), "some.jsonl, line 1, update 1: not a relationship");
    assert_eq!(
        error.source().unwrap().to_string(),
        "`user b` is not a valid object; write it as `type:id`"
    );

    assert!(matches!(
        read(&good.replace("delete", "drop")),
        Err(HistoryError::Transaction { .. })
    ));
    let earlier = good.replace("\"t\":5", "\"t\":4");
    assert!(matches!(
        read(&format!("{good}\n{earlier}")),
        Err(HistoryError::Order { line: 2, .. })
    ));
    assert!(matches!(History::open("no/such/folder"), Err(HistoryError::Io { .. })));
}
