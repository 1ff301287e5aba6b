//! Where zookies travel.

/// Where zookies travel.
#[derive(Clone, Debug, Default)]
pub struct Carriers {}

impl Carriers {
    /// Whether the query parameter of this name carries a zookie.
    pub fn is_query_carrier(&self, name: &str) -> bool {
        matches!(name, "zookie" | "token")
    }
}
