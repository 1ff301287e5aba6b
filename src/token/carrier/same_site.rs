/// For which requests browsers send a cookie that come from pages of another site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SameSite {
    /// For no such request.
    Strict,
    /// Only where the user follows a link.
    #[default]
    Lax,
    /// For all of them.
    None,
}
