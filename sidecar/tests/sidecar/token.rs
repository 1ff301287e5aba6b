//! `zookie-sidecar token`.

use std::process::{Command, Output};

/// Of SpiceDB on PostgreSQL.
const OLDER: &str = "GhgKDENBRVFBaG9CQUE9PRIINjM0OWFhZjI=";
/// Of two concurrent writes to Permify on PostgreSQL.
const CONCURRENT: [&str; 2] = ["MTI4MDoxMjc4OjEyODE6MTI4MA==", "MTI4MjoxMjc4OjEyODM6MTI4Mg=="];

fn run(arguments: &[&str]) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_zookie-sidecar"));
    program.env_clear().arg("token").args(arguments).output().unwrap()
}

/// What it prints.
fn prints(arguments: &[&str]) -> String {
    let output = run(arguments);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && error.is_empty(), "{error}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it says when it fails.
fn fails(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(!output.status.success() && output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn inspect_prints_the_store_and_the_revision() {
    assert_eq!(
        prints(&["inspect", "--engine", "postgres", OLDER]),
        "store        spicedb postgres, datastore 6349aaf2\n\
         kind         a snapshot of PostgreSQL\n\
         xmin         1\n\
         xmax         3\n\
         in progress  1\n"
    );
    assert_eq!(
        prints(&["inspect", "--system", "permify", "--engine", "postgres", CONCURRENT[0]]),
        "store        permify postgres\n\
         kind         a snapshot of PostgreSQL, with the transaction of a write\n\
         transaction  1280\n\
         xmin         1278\n\
         xmax         1281\n\
         in progress  1280\n"
    );
    let hybrid = "GiAKHjE2OTM1NDA5NDAzNzMwNDU3MjcuMDAwMDAwMDAwMQ==";
    assert_eq!(
        prints(&["inspect", "--engine", "cockroachdb", hybrid, hybrid]),
        "store        spicedb cockroachdb, without the datastore's id\n\
         kind         a time\n\
         nanoseconds  1693540940373045727\n\
         time         2023-09-01T04:02:20.373045727Z\n\
         logical      1\n\
         \n\
         store        spicedb cockroachdb, without the datastore's id\n\
         kind         a time\n\
         nanoseconds  1693540940373045727\n\
         time         2023-09-01T04:02:20.373045727Z\n\
         logical      1\n"
    );
    let mysql = prints(&["inspect", "--engine", "mysql", "CAIaAwoBNA=="]);
    assert!(mysql.contains("\ntransaction  4\n"), "{mysql}");
    let schema = prints(&[
        "inspect",
        "--engine",
        "mysql",
        "GiAKAjQyEghhYmNkMTIzNBoQZGVhZGJlZWZjYWZlYmFiZQ==",
    ]);
    assert!(schema.contains("\nalso         the hash of a schema\n"), "{schema}");
}

#[test]
fn compare_prints_one_word() {
    for (arguments, word) in [
        (["--engine", "memory", "CAIaAwoBMQ==", "CAIaAwoBNA=="], "before\n"),
        (["--engine", "memory", "CAIaAwoBNA==", "CAIaAwoBMQ=="], "after\n"),
        (["--engine", "memory", "CAESAA==", "CAIaAwoBMA=="], "equal\n"),
        (
            ["--engine", "memory", "CAIaAwoBMQ==", "Gg4KAjQyEghzb21ldW5pcQ=="],
            "different-stores\n",
        ),
    ] {
        assert_eq!(prints(&[&["compare"], &arguments[..]].concat()), word);
    }
    let permify = [
        "compare",
        "--system",
        "permify",
        "--engine",
        "postgres",
        CONCURRENT[0],
        CONCURRENT[1],
    ];
    assert_eq!(prints(&permify), "concurrent\n");
    assert!(fails(&["compare", "--engine", "memory", "CAIaAwoBMQ=="]).contains("TOKEN"));
}

#[test]
fn join_prints_the_fewest_tokens() {
    assert_eq!(
        prints(&[
            "join",
            "--engine",
            "memory",
            "CAIaAwoBMQ==",
            "CAIaAwoBNA==",
            "CAIaAwoBMA=="
        ]),
        "CAIaAwoBNA==\n"
    );
    let permify = [
        "join",
        "--system",
        "permify",
        "--engine",
        "postgres",
        CONCURRENT[0],
        CONCURRENT[1],
    ];
    assert_eq!(prints(&permify), format!("{}\n{}\n", CONCURRENT[0], CONCURRENT[1]));
}

#[test]
fn an_unreadable_token_names_the_engine_that_could_read_it() {
    let error = fails(&["join", "--engine", "mysql", "CAIaAwoBNA==", OLDER]);
    assert!(
        error.contains("token 2 can't be read by this engine; say '--system spicedb --engine postgres'"),
        "{error}"
    );
    assert!(!error.contains(OLDER), "tokens don't belong in logs: {error}");
    let error = fails(&["inspect", "--engine", "postgres", CONCURRENT[0]]);
    assert!(error.contains("say '--system permify --engine postgres'"), "{error}");
    let error = fails(&["inspect", "--engine", "postgres", "x"]);
    assert!(
        error.contains("token 1 can't be read by this engine\n") && error.contains("base64"),
        "{error}"
    );
    let error = fails(&["inspect", "--system", "permify", "--engine", "mysql", "x"]);
    assert!(error.contains("possible values: memory, postgres"), "{error}");
}

#[test]
fn without_a_subcommand_it_says_which_there_are() {
    let error = fails(&[]);
    for command in ["inspect", "compare", "join"] {
        assert!(error.contains(command), "{error}");
    }
}

#[test]
fn signed_tokens_are_read_without_their_signatures() {
    let signed = format!("zs1.2027-01.1800000000.{}.CAIaAwoBNA==", "A".repeat(43));
    assert_eq!(
        prints(&["inspect", "--engine", "mysql", &signed]).lines().next(),
        Some("signed       with the key 2027-01, issued 2027-01-15T08:00:00Z; the signature is not verified")
    );
    assert_eq!(
        prints(&["compare", "--engine", "mysql", &signed, "CAIaAwoBNA=="]),
        "equal\n"
    );
    assert_eq!(prints(&["join", "--engine", "mysql", &signed]), "CAIaAwoBNA==\n");
    let broken = fails(&["inspect", "--engine", "mysql", &signed[..40]]);
    assert!(
        broken.contains("token 1 can't be read") && broken.contains("not complete"),
        "{broken}"
    );
}
