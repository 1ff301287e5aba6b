//! What the table has to be.

use crate::Place;

pub(super) async fn a_missing_table_is_an_error(place: Place) {
    let error = place
        .builder()
        .create_table(false)
        .connect()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("table: the database has no table"), "{error}");
    assert!(error.contains(&place.table) && error.contains("migration"), "{error}");
}
